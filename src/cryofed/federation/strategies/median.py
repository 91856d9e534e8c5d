"""Coordinate median: each number is the middle one of the sites'."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cryofed.federation.strategies.blocks import by_blocks, gather, sort_rows
from cryofed.federation.strategies.strategy import State, Strategy
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinateMedian(Strategy):
    """`x ← x + median Δ_i` per coordinate; every site counts the same (Yin 2018, definition 1)."""

    name = "median"
    paper = "Yin et al., Byzantine-Robust Distributed Learning, ICML 2018"
    needs_all = True
    needs_rows = True

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """The median step."""
        step = by_blocks(gather(updates), middle)
        step += state.vector
        return State(vector=step, memory=state.memory, round_number=state.round_number + 1)


def middle(rows: list[Vector]) -> Vector:
    """Median of each coordinate: the middle row, or the mean of the middle two."""
    ordered, half = sort_rows(rows), len(rows) // 2
    if len(rows) % 2:
        return ordered[half]
    result: Vector = np.float32(0.5) * ordered[half - 1] + np.float32(0.5) * ordered[half]
    return result
