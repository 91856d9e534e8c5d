"""Weighted sums and means of updates: streaming, block by block, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cryofed.errors import FederationError
from cryofed.federation.strategies.strategy import in_order
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Vector

BLOCK = 65_536  # float32 numbers: 256 KiB, so that a block and its product stay in the cache
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


def add_scaled(total: Vector, vector: Vector, factor: float, scratch: Vector) -> None:
    """`total += factor * vector` in place, one pass over memory; `scratch` holds one block."""
    scale = np.float32(factor)
    for first in range(0, len(total), BLOCK):
        part = vector[first : first + BLOCK]
        product = scratch[: len(part)]
        np.multiply(part, scale, out=product)
        total[first : first + BLOCK] += product


def mean(updates: Iterable[Update], weighting: str = "examples") -> Mean:
    """`Σ w_i Δ_i / Σ w_i`, read one update at a time: the memory is the sum and one update."""
    total: Vector | None = None
    scratch = np.empty(BLOCK, np.float32)
    weight, sites = 0.0, 0
    for update in in_order(updates):
        w = weight_of(update, weighting)
        if total is None:
            total = np.zeros(update.vector.shape, np.float32)
        add_scaled(total, update.vector, w, scratch)
        weight += w
        sites += 1
    assert total is not None  # in_order refuses an empty round
    if weight <= 0:
        raise FederationError("the sites declare no examples at all; check their libraries")
    total *= np.float32(1 / weight)
    return Mean(total, weight, sites)
