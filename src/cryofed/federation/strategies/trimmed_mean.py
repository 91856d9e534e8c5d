"""Trimmed mean: each number is the mean of the sites' without the largest and smallest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cryofed.federation.strategies.blocks import by_blocks, gather, sort_rows
from cryofed.federation.strategies.ranges import between
from cryofed.federation.strategies.strategy import State, Strategy
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimmedMean(Strategy):
    """`x ← x + trimmed mean Δ_i` per coordinate; every site counts the same (Yin 2018, definition 2).

    `trim` is β, the share of sites cut at each end, rounded up: 0.2 of 5 sites cuts one above and one
    below, and so stands one hostile site. It never cuts all: of 3 sites the middle one stays.
    """

    name = "trimmed-mean"
    paper = "Yin et al., Byzantine-Robust Distributed Learning, ICML 2018"
    needs_all = True
    needs_rows = True
    trim: float = 0.2

    def __post_init__(self) -> None:
        between(self, "trim", 0, 0.5)

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """The trimmed step."""
        all_updates = gather(updates)
        cut = cut_of(len(all_updates), self.trim)
        step = by_blocks(all_updates, lambda rows: trimmed(rows, cut))
        step += state.vector
        return State(vector=step, memory=state.memory, round_number=state.round_number + 1)


def cut_of(n: int, trim: float) -> int:
    """Sites to cut at each end: `trim * n` rounded up, but at least one or two stay."""
    return min(int(np.ceil(trim * n - 1e-9)), (n - 1) // 2)


def trimmed(rows: list[Vector], cut: int) -> Vector:
    """Mean of each coordinate over the rows that stay, smallest first."""
    kept = sort_rows(rows)[cut : len(rows) - cut] if cut else rows
    total = kept[0].copy()
    for row in kept[1:]:
        total += row
    total *= np.float32(1 / len(kept))
    return total
