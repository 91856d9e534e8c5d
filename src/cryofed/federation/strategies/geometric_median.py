"""Geometric median: the point whose distances to the sites' updates sum to the least."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.federation.strategies.blocks import gather, gram, weighted_sum
from cryofed.federation.strategies.means import WEIGHTINGS, weight_of
from cryofed.federation.strategies.ranges import between, one_of, positive
from cryofed.federation.strategies.strategy import State, Strategy
from cryofed.federation.wire.updates import Update


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometricMedian(Strategy):
    """`x ← x + z`, `z` by smoothed Weiszfeld iterations (Pillutla 2022, RFA, Algorithm 2).

    `z` is always a weighted mean of the updates, so the iterations run on their inner products alone
    and the updates are read twice, however many iterations there are.
    """

    name = "geometric-median"
    paper = "Pillutla et al., Robust Aggregation for Federated Learning, IEEE TSP 2022"
    needs_all = True
    needs_rows = True
    weighting: str = "equal"
    iterations: int = 30
    smoothing: float = 1e-6  # ν as a share of the median norm: nearer than that is at the point

    def __post_init__(self) -> None:
        one_of(self, "weighting", WEIGHTINGS)
        between(self, "iterations", 1, 10_000)
        positive(self, "smoothing")

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """The step to the geometric median."""
        all_updates = gather(updates)
        counts = np.array([weight_of(update, self.weighting) for update in all_updates])
        products = gram([update.vector for update in all_updates])
        share = weiszfeld(products, counts, self.iterations, self.smoothing)
        step = weighted_sum(all_updates, share)
        step += state.vector
        return State(vector=step, memory=state.memory, round_number=state.round_number + 1)


def weiszfeld(
    products: NDArray[np.float64], counts: NDArray[np.float64], iterations: int, smoothing: float
) -> NDArray[np.float64]:
    """`(n,)` weights of the geometric median among points with these inner products."""
    squares = np.diag(products)
    floor = smoothing * float(np.sqrt(np.median(squares))) or 1e-30
    share: NDArray[np.float64] = counts / counts.sum()
    for _ in range(iterations):
        # ‖z − x_i‖² with z = Σ share_j x_j
        away = share @ products @ share - 2 * products @ share + squares
        share = counts / np.maximum(np.sqrt(np.maximum(away, 0)), floor)
        share = share / share.sum()
    return share
