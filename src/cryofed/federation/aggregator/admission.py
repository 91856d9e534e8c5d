"""Check an update before any arithmetic: one update in, None or the reason for refusing it out."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from cryofed.federation.agreement.plan import Plan
from cryofed.federation.wire.bounds import METRICS, misfit
from cryofed.federation.wire.updates import Update

# Codes go into the round's report; a site may read its own.
REFUSALS = {
    "wire": "not the bytes of an update (wire-length, wire-not-finite, ... say more)",
    "wrong_site": "made out to another site than the one that sent it",
    "not_enrolled": "the plan has no such site",
    "not_asked": "the site has no part in this round",
    "duplicate": "the site's update of this round is already here",
    "wrong_round": "of another round: late, or replayed",
    "wrong_model": "made from another model than this round's message",
    "wrong_layout": "of another network",
    "wrong_length": "too short or too long for the layout",
    "wrong_type": "not a flat array of float32",
    "not_finite": "holds NaN or infinity",
    "too_large": "norm above the plan's admission.max_norm",
    "too_many_examples": "declares more examples than the site is enrolled with",
    "too_many_steps": "declares more local steps than the plan asks for (FedNova counts them)",
    "no_examples": "declares no examples, or no steps",
    "bad_metrics": "a metric has an unknown name, or is out of its bounds (`wire.bounds`)",
}

# Numbers: so few that BLAS does not call its threads together, which takes long where they are busy.
_BLOCK = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an update of this round must fit."""

    round_number: int
    model_hash: str
    layout_hash: str
    size: int  # numbers in one channel
    channels: int
    asked: Collection[str]


def admit(update: Update, expected: Expected, plan: Plan, already: Collection[str]) -> str | None:
    """None where the update may be used, else a key of `REFUSALS`.

    Cheap checks come first: nothing is summed over a vector of the wrong length or type.

    Args:
        update: as it arrived; nothing in it is trusted.
        expected: what this round asked for.
        plan: bounds of sites and norm.
        already: sites whose update of this round was accepted.
    """
    return _header(update, expected, plan, already) or _numbers(update, expected, plan)


def update_norm(vector: np.ndarray, size: int) -> float:
    """Euclidean norm of the first channel, in float64: the change of the model itself."""
    change = vector[:size]
    # In blocks, so that a large vector is never copied whole into float64.
    parts = (change[i : i + _BLOCK].astype(np.float64) for i in range(0, len(change), _BLOCK))
    return math.sqrt(sum(float(part @ part) for part in parts))


def _header(update: Update, expected: Expected, plan: Plan, already: Collection[str]) -> str | None:
    site = plan.site(update.site)
    if site is None:
        return "not_enrolled"
    faults = {
        "wrong_round": update.round_number != expected.round_number,
        "not_asked": update.site not in expected.asked,
        "duplicate": update.site in already,
        "wrong_model": update.model_hash != expected.model_hash,
        "wrong_layout": update.layout_hash != expected.layout_hash,
        "too_many_examples": 0 < site.max_examples < update.examples,
        "too_many_steps": update.steps > plan.training.steps,
        "no_examples": update.examples < 1 or update.steps < 1,
        "bad_metrics": misfit(update.metrics, METRICS) is not None,
    }
    return next((code for code, faulty in faults.items() if faulty), None)


def _numbers(update: Update, expected: Expected, plan: Plan) -> str | None:
    vector = update.vector
    if not isinstance(vector, np.ndarray) or vector.dtype != np.float32 or vector.ndim != 1:
        return "wrong_type"
    if len(vector) != expected.channels * expected.size:
        return "wrong_length"
    if not np.isfinite(vector).all():
        return "not_finite"
    # Every channel: a control (SCAFFOLD) without a bound would steer all sites' next rounds.
    channels = np.split(vector, expected.channels)
    if max(update_norm(part, expected.size) for part in channels) > plan.admission.max_norm:
        return "too_large"
    return None
