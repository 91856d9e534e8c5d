"""Weighted sums and means of updates: one update after the other, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cryofed.errors import FederationError
from cryofed.federation.strategies.strategy import in_order
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Vector

WEIGHTINGS = ("examples", "root", "equal")


@dataclass(frozen=True, slots=True)
class Mean:
    """A weighted mean of updates' vectors, and what it was made of."""

    vector: Vector  # (channels * size,)
    weight: float  # sum of the weights
    sites: int


def weight_of(update: Update, weighting: str) -> float:
    """How much a site counts: by its examples, their square root, or as every other site."""
    if weighting == "examples":
        return float(update.examples)
    if weighting == "root":
        return float(np.sqrt(update.examples))
    if weighting == "equal":
        return 1.0
    raise FederationError(f"weighting: found {weighting!r}; use one of {', '.join(WEIGHTINGS)}")


def add_scaled(total: Vector, vector: Vector, factor: float) -> None:
    """`total += factor * vector` in place: one pass over memory, and each sum is rounded once (BLAS `axpy`).

    Args:
        total: float32, contiguous, changed.
        vector: float32, as long; may be a read-only map.
        factor: rounded to float32 first.
    """
    from scipy.linalg.blas import saxpy  # 0.4 s and 25 MiB, so only who combines loads it

    saxpy(vector, total, a=factor)


def mean(updates: Iterable[Update], weighting: str = "examples") -> Mean:
    """`Σ w_i Δ_i / Σ w_i`, read one update at a time: the memory is the sum and one update."""
    total: Vector | None = None
    weight, sites = 0.0, 0
    for update in in_order(updates):
        w = weight_of(update, weighting)
        if total is None:
            total = np.zeros(update.vector.shape, np.float32)
        add_scaled(total, update.vector, w)
        weight += w
        sites += 1
    assert total is not None  # in_order refuses an empty round
    if weight <= 0:
        raise FederationError("the sites declare no examples at all; check their libraries")
    total *= np.float32(1 / weight)
    return Mean(total, weight, sites)
