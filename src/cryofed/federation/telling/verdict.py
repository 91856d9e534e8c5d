"""What the gate's decision means to a person: a headline, the reasons, and what to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cryofed.federation.aggregator.gate import HIGHER_IS_BETTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The same words for the terminal, the report and the monitor."""

    headline: str
    reasons: tuple[str, ...]  # as the gate gave them; none where it promoted
    remedies: tuple[str, ...]  # what to try, the likeliest first

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def verdict(gate: Mapping[str, Any], enrolled: Sequence[str] = ()) -> Verdict:
    """Put a decision of the gate, as `gate.json` has it, into words.

    Args:
        gate: the record of a `Decision`.
        enrolled: all sites that could have evaluated; those that did not are named.
    """
    sites: Mapping[str, Mapping[str, Any]] = gate["sites"]
    reasons = tuple(gate["stopped_by"])
    metric = metric_name(gate["metric"])
    silent = sorted(set(enrolled) - set(sites))
    if gate["promoted"]:
        before, after = gate["pooled_current"], gate["pooled_candidate"]
        headline = f"Released: {metric} {before:.4f} → {after:.4f} on held-out projects of {_count(sites)}"
        return Verdict(headline=headline, reasons=(), remedies=tuple(_of_silent(silent)))
    sign = 1.0 if HIGHER_IS_BETTER[gate["metric"]] else -1.0
    lost = {name: sign * (site["current"] - site["candidate"]) for name, site in sites.items()}
    named = [name for name in sites if any(reason.startswith(f"{name}: ") for reason in reasons)]
    if named:
        worst = max(named, key=lambda name: lost[name])
        others = f" and {len(named) - 1} more" if len(named) > 1 else ""
        headline = f"Not released: {worst} would lose {lost[worst]:.4f} {metric}{others}"
        return Verdict(
            headline=headline,
            reasons=reasons,
            remedies=(*_of_loser(worst, sites[worst]), *_of_silent(silent)),
        )
    if any("could evaluate" in reason for reason in reasons):
        headline = f"Not released: {_count(sites) if sites else 'no site'} could evaluate the candidate"
        return Verdict(headline=headline, reasons=reasons, remedies=tuple(_of_silent(silent)))
    fallen = sign * ((gate["pooled_current"] or 0.0) - (gate["pooled_candidate"] or 0.0))
    worst = max(lost, key=lambda name: lost[name])
    headline = (
        f"Not released: over all sites the candidate loses {fallen:.4f} {metric}"
        if fallen > 0
        else f"Not released: most sites would lose {metric}"
    ) + (f", the most at {worst} ({lost[worst]:.4f})" if lost[worst] > 0 else "")
    return Verdict(headline=headline, reasons=reasons, remedies=(*_of_all(), *_of_silent(silent)))


def _of_loser(name: str, site: Mapping[str, Any]) -> list[str]:
    """What helps where one site loses."""
    few = f"{name} measured on {site['held_out']} averages"
    if site.get("step"):
        few += f", of which a single one can change the metric by {site['step']:.4f}"
    return [
        f"{few}: harvest more of its projects, or raise gate.site_tolerance if that is too few to tell",
        f"let {name} look at its labels: cryofed review --library LIBRARY",
        *_of_all(),
        "the release stays in use; the next campaign starts from it",
    ]


def _of_all() -> list[str]:
    """What helps where the candidate is worse as such."""
    return [
        "train more gently: lower training.learning_rate or training.steps, or set gate.keep = 0.5",
        "try other strategies side by side first: cryofed federation compare PLAN.toml",
    ]


def _of_silent(silent: Sequence[str]) -> list[str]:
    """What helps where sites did not evaluate."""
    if not silent:
        return []
    return [
        f"{', '.join(silent)} did not evaluate: a site must run, and needs gate.min_cell good and as many "
        "bad averages in held-out projects; look with cryofed library info LIBRARY, then harvest more"
    ]


def _count(sites: Mapping[str, Any]) -> str:
    return f"{len(sites)} site{'' if len(sites) == 1 else 's'}"


def metric_name(metric: str) -> str:
    """As people write it."""
    return {"auc": "AUC", "brier": "Brier score"}.get(metric, metric)
