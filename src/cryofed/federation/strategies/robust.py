"""The robust default: what stands one hostile site in five."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.federation.strategies.blocks import by_blocks, gather, gram, squared_distances, weighted_sum
from cryofed.federation.strategies.norm_bounded import bounded
from cryofed.federation.strategies.ranges import between
from cryofed.federation.strategies.strategy import State, Strategy
from cryofed.federation.strategies.trimmed_mean import cut_of, trimmed
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Robust(Strategy):
    """From five sites on, the trimmed mean of updates that were each averaged with those nearest to it.

    Trimming alone mistakes honest sites that differ for liars; once every site speaks for its neighbors,
    honest ones differ little (Allouah 2023, nearest neighbor mixing). Every site counts the same.
    Below five sites nobody is outvoted, and trimming would throw honest work away: there each update is
    bounded by the median norm (Sun 2019), and the release gate does the rest.
    """

    name = "robust"
    paper = (
        "Allouah et al., Fixing by Mixing, AISTATS 2023, with Yin et al., ICML 2018; "
        "below five sites Sun et al., arXiv:1911.07963"
    )
    needs_all = True
    needs_rows = True
    trim: float = 0.2
    trim_from: int = 5  # sites

    def __post_init__(self) -> None:
        between(self, "trim", 0, 0.5)
        between(self, "trim_from", 3, 1e9)

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """The step of mixed and trimmed updates."""
        all_updates = gather(updates)
        n = len(all_updates)
        if n < self.trim_from:
            step = weighted_sum(all_updates, bounded(all_updates, 0.0) / n)
        else:
            cut = cut_of(n, self.trim)
            near = nearest(squared_distances(gram([update.vector for update in all_updates])), n - cut)
            step = by_blocks(all_updates, lambda rows: trimmed([_mean(rows, mine) for mine in near], cut))
        step += state.vector
        return State(vector=step, memory=state.memory, round_number=state.round_number + 1)


def nearest(distances: NDArray[np.float64], count: int) -> list[list[int]]:
    """For each site the `count` that lie nearest to it, first itself; of equals the first by name."""
    others = distances + np.diag(np.full(len(distances), -np.inf))
    chosen: list[list[int]] = np.argsort(others, axis=1, kind="stable")[:, :count].tolist()
    return chosen


def _mean(rows: list[Vector], chosen: list[int]) -> Vector:
    total = rows[chosen[0]].copy()
    for index in chosen[1:]:
        total += rows[index]
    total *= np.float32(1 / len(chosen))
    return total
