"""What a private site tells its gate: two counts and one metric of each model, with noise that is charged.

All numbers come from the Gaussian mechanism, whatever the held-out averages are: neither a threshold nor a
weight looks at them without noise. The unit is one average, added or removed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.learning.metrics import auc
from cryofed.scoring.calibration import sigmoid

Truth = NDArray[np.bool_]
Scores = NDArray[np.float64]

MECHANISMS = 2  # per answer, each of sensitivity 1: the counts, and the metrics together
_SURE = 3.0  # deviations that the counts are taken lower, for the metrics' sensitivity


@dataclass(frozen=True, slots=True, kw_only=True)
class GateNoise:
    """How an answer is noised."""

    multiplier: float  # deviation of the noise over the sensitivity
    min_cell: int  # good and bad averages that a metric is at least divided by
    secret_seed: int


def private_answer(
    logits: Sequence[Scores], good: Truth, metric: str, noise: GateNoise
) -> Mapping[str, float]:
    """`held_out` and the metric of each model, noised; nothing where the noised counts are too small.

    Args:
        logits: `(n,)` for each model.
        good: `(n,)`, what is true.
        metric: "auc" or "brier".
        noise: its size and its seed.
    """
    rng = np.random.default_rng(noise.secret_seed)
    counts = np.array([good.sum(), (~good).sum()], float)  # one average is in one of them: sensitivity 1
    noised = np.round(counts + rng.normal(size=2) * noise.multiplier)
    if noised.min() < noise.min_cell:
        return {}
    # The bound of a metric's sensitivity is chosen from noised counts, and holds whatever the data are.
    cell = max(noise.min_cell, math.floor(noised.min() - _SURE * noise.multiplier))
    clear = [bounded_auc(z, good, cell) if metric == "auc" else bounded_brier(z, good, cell) for z in logits]
    deviation = noise.multiplier * math.sqrt(len(clear)) / cell
    values = np.clip(np.array(clear) + rng.normal(size=len(clear)) * deviation, 0.0, 1.0)
    told_of = {f"{index}.{metric}": round(float(value), 6) for index, value in enumerate(values)}
    return told_of | {f"{index}.held_out": float(noised.sum()) for index in range(len(clear))}


def bounded_auc(logits: Scores, good: Truth, cell: int) -> float:
    """AUC whose sensitivity to one average is at most 1 / `cell`: pulled to 1/2 where good or bad are fewer.

    Each good average has a share of the bad ones below it. One average more or less changes the mean of these
    shares, counted from 1/2, by at most half of 1 / `cell`, and where there are more than `cell`, by 1 / n.
    """
    n_good, n_bad = int(good.sum()), int((~good).sum())
    if not n_good or not n_bad:
        return 0.5
    share = n_good / max(n_good, cell) * n_bad / max(n_bad, cell)
    return 0.5 + (auc(logits, good) - 0.5) * share


def bounded_brier(logits: Scores, good: Truth, cell: int) -> float:
    """Brier score whose sensitivity to one average is at most 1 / `cell`: to 1/2 where they are fewer."""
    errors = (sigmoid(logits) - good) ** 2
    return 0.5 + float((errors - 0.5).sum()) / max(len(good), cell)
