"""What a plan under masks must say, and the rules that both sides read out of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryofed.errors import InputError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.strategies.means import weight_of
from cryofed.federation.strategies.registry import make_strategy
from cryofed.federation.wire.updates import Update
from cryofed.trust.masks.fixed_point import FixedPoint
from cryofed.trust.masks.rules import LEAST_SITES, MaskRules
from cryofed.trust.masks.soundness import check_codec, check_strategy

NOTHING = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Who the sites of a masked federation are, as they have agreed."""

    agreement: str  # hash of the signed agreement
    identities: Mapping[str, str]  # site: fingerprint of its key


def check_masked(plan: Plan, path: Path | str) -> None:
    """Refuse a plan that masks would break, or that would break the masks.

    Raises:
        InputError: names the field and what to write.
    """
    check_strategy(plan.strategy.name, str(path))
    check_codec(plan.guard.codec, str(path))
    least = max(LEAST_SITES, plan.rounds.min_updates)

    def refuse(field: str, found: object, remedy: str) -> None:
        raise InputError(path, field, f"{found} in profile masked", remedy)

    if plan.rounds.min_updates < LEAST_SITES:
        refuse("rounds.min_updates", plan.rounds.min_updates, f"a sum hides from {LEAST_SITES} sites on")
    if plan.sites and len(plan.sites) < least:
        refuse("sites", f"{len(plan.sites)} sites", f"enroll {least} at least")
    if plan.guard.max_norm <= 0:
        refuse("guard.max_norm", 0, "give the longest update, for instance 1.0: what is masked has a bound")
    for site in plan.sites:
        if site.max_examples < 1:
            refuse("sites.max_examples", f"0 for {site.name}", "give the most examples that it may declare")
    if plan.gate.cross_site:
        refuse("gate.cross_site", "true", "write false: it shows every site's own model")
    try:
        fixed_point(plan)
    except ValueError as error:
        refuse("guard.max_norm", plan.guard.max_norm, str(error))


def weight(plan: Plan, site: str, examples: int) -> float:
    """How much a site with so many examples counts: under masks it weighs its update itself.

    By the strategy's own weighting, of no more examples than it is enrolled with.
    """
    strategy = make_strategy(plan.strategy.name, plan.strategy.parameters)
    enrolled = plan.site(site)
    most = enrolled.max_examples if enrolled else 0
    update = Update(
        site=site,
        round_number=1,
        model_hash="",
        layout_hash="",
        vector=NOTHING,
        examples=min(examples, most),
        steps=1,
    )
    return weight_of(update, str(getattr(strategy, "weighting", "examples")))


def fixed_point(plan: Plan) -> FixedPoint:
    """The agreed range of numbers.

    Raises:
        ValueError: too few bits are left for fractions.
    """
    most = max((weight(plan, site.name, site.max_examples) for site in plan.sites), default=1.0)
    return FixedPoint(max_norm=plan.guard.max_norm, max_weight=most, max_sites=max(2, len(plan.sites)))


def mask_rules(plan: Plan, seal: Seal, start_hash: str, numbers: int) -> MaskRules:
    """The same at the aggregator and at every site.

    Args:
        plan: in profile masked.
        seal: from the agreement.
        start_hash: of the model that the campaign began with.
        numbers: in one update.
    """
    words = f"cryofed-masked-campaign/1 {seal.agreement} {plan.hash} {start_hash}"
    return MaskRules(
        campaign=hashlib.sha256(words.encode()).digest(),
        identities={site.name: seal.identities.get(site.name, "") for site in plan.sites},
        min_sites=max(LEAST_SITES, plan.rounds.min_updates),
        numbers=numbers,
        fixed=fixed_point(plan),
    )
