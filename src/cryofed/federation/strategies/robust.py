"""The robust default: what stands one hostile site in five, and bounds one in three."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.federation.strategies.blocks import by_blocks, gather, gram, weighted_sum
from cryofed.federation.strategies.norm_bounded import bounded
from cryofed.federation.strategies.ranges import between
from cryofed.federation.strategies.strategy import State, Strategy
from cryofed.federation.strategies.trimmed_mean import cut_of, trimmed
from cryofed.federation.updates import Update


@dataclass(frozen=True, slots=True, kw_only=True)
class Robust(Strategy):
    """Norm-bounded updates without those that point backwards; from five sites on, their trimmed mean.

    Every site counts the same. Below five sites nobody is outvoted: trimming would leave the middle one or
    two and throw honest work away, so there the bounded mean stands alone and the release gate does the rest.
    """

    name = "robust"
    paper = (
        "Sun et al., arXiv:1911.07963, with Yin et al., ICML 2018, and the direction of "
        "Muñoz-González et al., arXiv:1909.05125"
    )
    needs_all = True
    trim: float = 0.2
    trim_from: int = 5  # sites

    def __post_init__(self) -> None:
        between(self, "trim", 0, 0.5)
        between(self, "trim_from", 3, 1e9)

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """The bounded, trimmed step of the sites that agree."""
        all_updates = gather(updates)
        factors = bounded(all_updates, 0.0)
        n = len(all_updates)
        if n < self.trim_from:
            step = weighted_sum(all_updates, factors / n)
        else:
            kept = agreeing(gram(all_updates, list(factors)), cut_of(n, self.trim))
            cut = cut_of(len(kept), self.trim)
            scale = [np.float32(factors[i]) for i in kept]
            step = by_blocks(
                [all_updates[i] for i in kept],
                lambda rows: trimmed([r * s for r, s in zip(rows, scale, strict=True)], cut),
            )
        step += state.vector
        return State(vector=step, memory=state.memory, round_number=state.round_number + 1)


def agreeing(products: NDArray[np.float64], most: int) -> list[int]:
    """Who is left when those that point against the sum of the others are left out, the worst first.

    Args:
        products: `(n, n)` inner products of the bounded updates.
        most: how many may be left out. What is left of the lie then falls to the trimming.
    """
    kept = list(range(len(products)))
    for _ in range(most):
        among = products[np.ix_(kept, kept)]
        agreement = among.sum(axis=1) - np.diag(among)
        if agreement.min() >= 0:
            break
        del kept[int(agreement.argmin())]
    return kept
