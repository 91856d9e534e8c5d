"""Every site's model on every site's held-out averages: who learns from whom, and who differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cryofed.federation.engines.port import Carrier, collect
from cryofed.federation.orders import EMPTY, order
from cryofed.federation.plan import Plan
from cryofed.federation.rounds import Rounds

MOST_MODELS = 60  # sites take no more vectors in one order


def cross_site_matrix(rounds: Rounds, carrier: Carrier, plan: Plan) -> dict[str, Any]:
    """AUC of the common model and of each site's model of the last round, by site that evaluated.

    Each site sees the other sites' models, so the plan has to allow it (`gate.cross_site`). Sites with
    too few held-out averages report nothing.

    Returns:
        `models`: names, "common" first; `auc`: site to list, in the order of `models`.
    """
    names = rounds.spool.sites[:MOST_MODELS]
    size, before = rounds.layout.size, rounds.progress.previous
    models = [rounds.vector, *(before + rounds.spool.read(name).vector[:size] for name in names)]
    asked = order("evaluate", rounds.round_number, np.concatenate(models), **rounds.hashes)
    answers = collect(carrier, asked, list(carrier.present()), plan.rounds.deadline_s)
    rows = {
        site: [numbers.values[f"{index}.auc"] for index in range(len(models))]
        for site, numbers in answers.items()
        if {f"{index}.auc" for index in range(len(models))} <= set(numbers.values)
    }
    return {"models": ["common", *names], "auc": rows}


def site_statistics(rounds: Rounds, carrier: Carrier, plan: Plan) -> Mapping[str, Mapping[str, float]]:
    """What each site tells about its averages (`statistics.local_statistics`)."""
    asked = order("statistics", rounds.round_number, EMPTY, **rounds.hashes)
    answers = collect(carrier, asked, list(carrier.present()), plan.rounds.deadline_s)
    return {site: dict(numbers.values) for site, numbers in answers.items()}
