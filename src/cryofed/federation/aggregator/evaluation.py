"""Every site's model on every site's held-out averages: who learns from whom, and who differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cryofed.federation.aggregator.carrier import Carrier, collect
from cryofed.federation.aggregator.rounds import Rounds
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.wire.orders import EMPTY, order
from cryofed.learning.vector import Vector


def cross_site_matrix(rounds: Rounds, carrier: Carrier, plan: Plan) -> dict[str, Any]:
    """AUC of the common model and of each site's model of the last round, by site that evaluated.

    Each site sees the other sites' models, so the plan has to allow it (`gate.cross_site`). Sites with
    too few held-out averages report nothing. One order for each model, so that no machine holds all of
    them at once; a site that tells nothing of one model is not asked for the next.

    Returns:
        `models`: names, "common" first; `auc`: site to list, in the order of `models`.
    """
    auc: dict[str, list[float]] = {site: [] for site in carrier.present()}
    for model in _models(rounds):
        asked = order("evaluate", rounds.round_number, model, **rounds.hashes)
        answers = collect(carrier, asked, list(auc), plan.rounds.deadline_s)
        measured = {site: numbers.values for site, numbers in answers.items() if "0.auc" in numbers.values}
        auc = {site: [*auc[site], measured[site]["0.auc"]] for site in measured}
        if not auc:
            break
    return {"models": ["common", *rounds.spool.sites], "auc": auc}


def _models(rounds: Rounds) -> Iterator[Vector]:
    """The common model, then what each site made of the one before."""
    yield rounds.vector
    for name in rounds.spool.sites:
        yield rounds.progress.previous + rounds.spool.read(name).vector[: rounds.layout.size]


def site_statistics(rounds: Rounds, carrier: Carrier, plan: Plan) -> Mapping[str, Mapping[str, float]]:
    """What each site tells about its averages (`statistics.local_statistics`)."""
    asked = order("statistics", rounds.round_number, EMPTY, **rounds.hashes)
    answers = collect(carrier, asked, list(carrier.present()), plan.rounds.deadline_s)
    return {site: dict(numbers.values) for site, numbers in answers.items()}
