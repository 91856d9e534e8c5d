"""Whether a candidate becomes the release: a pure function of what the sites measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from cryofed.federation.agreement.plan import GateRules

HIGHER_IS_BETTER = {"auc": True, "brier": False}
ALWAYS = 3  # gates in a row at which a site differs before it is named
REMEMBERED = 20  # earlier gates that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One site's metric of both models on its own held-out projects."""

    candidate: float
    current: float
    held_out: int  # averages, the weight in the pooled metric
    step: float = 0.0  # in which the site gives its metric: one average can change it by so much


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the gate said and why."""

    promoted: bool
    metric: str
    pooled_candidate: float | None
    pooled_current: float | None
    sites: Mapping[str, Measured]
    stopped_by: tuple[str, ...]  # each a sentence

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"sites": {name: asdict(site) for name, site in self.sites.items()}}


def decide(sites: Mapping[str, Measured], rules: GateRules) -> Decision:
    """Promote when pooled and middle do not fall and no site loses more than its tolerance.

    The pooled metric is the mean over sites, each counted by its held-out averages. The middle is the median
    of the sites' own changes, each site counted once: a site that lies about its averages moves neither far.
    """
    if len(sites) < rules.min_sites:
        reason = f"{len(sites)} sites could evaluate, the plan asks for {rules.min_sites}"
        return _decision(False, rules, sites, (reason,))
    sign = 1.0 if HIGHER_IS_BETTER[rules.metric] else -1.0
    reasons = []
    before, after = _pooled(sites, "current"), _pooled(sites, "candidate")
    if sign * (after - before) < -rules.pooled_tolerance - 1e-12:
        reasons.append(f"pooled {rules.metric} goes from {before:.4f} to {after:.4f}")
    middle = median(sign * (site.candidate - site.current) for site in sites.values())
    if len(sites) > 2 and middle < -rules.pooled_tolerance - 1e-12:
        reasons.append(f"{rules.metric} of the middle site changes by {sign * middle:+.4f}")
    for name, site in sorted(sites.items()):
        # Two metrics that hardly differ can be given one step apart.
        if sign * (site.candidate - site.current) < -max(rules.site_tolerance + 1e-12, 1.001 * site.step):
            reasons.append(f"{name}: {rules.metric} goes from {site.current:.4f} to {site.candidate:.4f}")
    return _decision(not reasons, rules, sites, tuple(reasons))


def differing(gates: Sequence[Mapping[str, Any]], rules: GateRules) -> dict[str, int]:
    """Sites whose answers always differ from the others', and in how many campaigns; the latest gate is last.

    A site differs at a gate where its metric moves the other way than the median of at least three sites, and
    by more than `site_tolerance` apart. It is named after `ALWAYS` gates in a row, for a person to look at:
    it may lie, or have other data. Nothing follows by itself.
    """
    against: dict[str, int] = {}
    for name in gates[-1]["sites"] if gates else ():
        count = 0
        for gate in reversed(gates):
            changes = {site: pair["candidate"] - pair["current"] for site, pair in gate["sites"].items()}
            if name not in changes:
                continue
            own, middle = changes[name], median(changes.values())
            if len(changes) < 3 or own * middle >= 0 or abs(own - middle) <= rules.site_tolerance:
                break
            count += 1
        if count >= ALWAYS:
            against[name] = count
    return against


def _decision(
    promoted: bool, rules: GateRules, sites: Mapping[str, Measured], reasons: tuple[str, ...]
) -> Decision:
    return Decision(
        promoted=promoted,
        metric=rules.metric,
        pooled_candidate=_pooled(sites, "candidate") if sites else None,
        pooled_current=_pooled(sites, "current") if sites else None,
        sites=sites,
        stopped_by=reasons,
    )


def _pooled(sites: Mapping[str, Measured], which: str) -> float:
    total = sum(site.held_out for site in sites.values())
    return float(sum(getattr(site, which) * site.held_out for _, site in sorted(sites.items())) / total)
