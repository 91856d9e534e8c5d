"""The robust default: what stands one hostile site in five, and bounds one in three."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cryofed.federation.strategies.blocks import by_blocks, gather, weighted_sum
from cryofed.federation.strategies.norm_bounded import bounded
from cryofed.federation.strategies.ranges import between
from cryofed.federation.strategies.strategy import State, Strategy
from cryofed.federation.strategies.trimmed_mean import cut_of, trimmed
from cryofed.federation.updates import Update


@dataclass(frozen=True, slots=True, kw_only=True)
class Robust(Strategy):
    """Norm-bounded updates; from five sites on, their trimmed mean; every site counts the same.

    Below five sites trimming leaves the middle one or two and throws honest work away, so there the
    bounded mean stands alone and the release gate does the rest.
    """

    name = "robust"
    paper = "Sun et al., arXiv:1911.07963, with Yin et al., ICML 2018"
    needs_all = True
    trim: float = 0.2
    trim_from: int = 5  # sites

    def __post_init__(self) -> None:
        between(self, "trim", 0, 0.5)
        between(self, "trim_from", 3, 1e9)

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """The bounded, trimmed step."""
        all_updates = gather(updates)
        factors = bounded(all_updates, 0.0)
        n = len(all_updates)
        if n < self.trim_from:
            step = weighted_sum(all_updates, factors / n)
        else:
            cut = cut_of(n, self.trim)
            scale = [np.float32(f) for f in factors]
            step = by_blocks(
                all_updates, lambda rows: trimmed([r * s for r, s in zip(rows, scale, strict=True)], cut)
            )
        step += state.vector
        return State(vector=step, memory=state.memory, round_number=state.round_number + 1)
