"""Whether a candidate becomes the release: a pure function of what the sites measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cryofed.federation.agreement.plan import GateRules

HIGHER_IS_BETTER = {"auc": True, "brier": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One site's metric of both models on its own held-out projects."""

    candidate: float
    current: float
    held_out: int  # averages, the weight in the pooled metric


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
    """Promote when the pooled metric does not fall and no site loses more than its tolerance.

    The pooled metric is the mean over sites, each counted by its held-out averages.
    """
    if len(sites) < rules.min_sites:
        told = f"{len(sites)} sites could evaluate, the plan asks for {rules.min_sites}"
        return _decision(False, rules, sites, (told,))
    sign = 1.0 if HIGHER_IS_BETTER[rules.metric] else -1.0
    reasons = []
    before, after = _pooled(sites, "current"), _pooled(sites, "candidate")
    if sign * (after - before) < -rules.pooled_tolerance - 1e-12:
        reasons.append(f"pooled {rules.metric} goes from {before:.4f} to {after:.4f}")
    for name, site in sorted(sites.items()):
        if sign * (site.candidate - site.current) < -rules.site_tolerance - 1e-12:
            reasons.append(f"{name}: {rules.metric} goes from {site.current:.4f} to {site.candidate:.4f}")
    return _decision(not reasons, rules, sites, tuple(reasons))


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
