"""How good scores are: plain NumPy, so that evaluation needs no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def auc(scores: NDArray[np.floating], good: NDArray[np.bool_]) -> float:
    """Area under the ROC curve by ranks, ties counted half; NaN when one kind is missing."""
    n_good, n_bad = int(good.sum()), int((~good).sum())
    if not n_good or not n_bad:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[good].sum() - n_good * (n_good + 1) / 2) / (n_good * n_bad))


def brier(scores: NDArray[np.floating], good: NDArray[np.bool_]) -> float:
    """Mean squared distance of a probability from what came true."""
    return float(np.mean((scores - good) ** 2))


def calibration_error(scores: NDArray[np.floating], good: NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error over `bins` of equal width (Guo 2017)."""
    which = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = [
        abs(scores[which == b].mean() - good[which == b].mean()) * (which == b).mean()
        for b in set(which.tolist())
    ]
    return float(sum(gaps))
