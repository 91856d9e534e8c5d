"""Krum and multi-Krum: trust the updates that lie closest to their neighbors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import FederationError
from cryofed.federation.strategies.blocks import gather, gram, squared_distances, weighted_sum
from cryofed.federation.strategies.ranges import between
from cryofed.federation.strategies.strategy import State, Strategy
from cryofed.federation.wire.updates import Update


@dataclass(frozen=True, slots=True, kw_only=True)
class Central(Strategy):
    """`x ← x + mean Δ` over the sites with the smallest Krum scores."""

    paper = "Blanchard et al., Machine Learning with Adversaries, NeurIPS 2017"
    needs_all = True
    needs_rows = True
    hostile: int = 1  # f, hostile sites to stand; needs n ≥ 2 f + 3

    def __post_init__(self) -> None:
        between(self, "hostile", 0, 1e6)

    @abstractmethod
    def kept(self, n: int) -> int:
        """How many of `n` sites count."""

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """The mean step of the central sites."""
        all_updates = gather(updates)
        n = len(all_updates)
        if n < 2 * self.hostile + 3:
            raise FederationError(
                f"{self.name}: {n} updates cannot stand {self.hostile} hostile, it takes "
                f"{2 * self.hostile + 3}; set strategy.hostile to at most {max(0, (n - 3) // 2)}, "
                "or choose 'robust'"
            )
        scores = krum_scores(squared_distances(gram([update.vector for update in all_updates])), self.hostile)
        # A stable order: of equals the first site by name.
        chosen = sorted(np.argsort(scores, kind="stable")[: self.kept(n)].tolist())
        step = weighted_sum([all_updates[i] for i in chosen], [1 / len(chosen)] * len(chosen))
        step += state.vector
        return State(vector=step, memory=state.memory, round_number=state.round_number + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Krum(Central):
    """`x ← x + Δ_k`, `k` the site with the smallest sum of squared distances to its `n − f − 2` nearest."""

    name = "krum"

    def kept(self, n: int) -> int:
        """The most central one."""
        return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiKrum(Central):
    """`x ← x + mean Δ` over the `n − f` sites with the smallest Krum scores."""

    name = "multi-krum"

    def kept(self, n: int) -> int:
        """All but as many as may be hostile."""
        return n - self.hostile


def krum_scores(distances: NDArray[np.float64], hostile: int) -> NDArray[np.float64]:
    """`(n,)` sums of squared distances to the `n − f − 2` nearest others."""
    near = len(distances) - hostile - 2
    others = np.sort(distances + np.diag(np.full(len(distances), np.inf)), axis=1)
    scores: NDArray[np.float64] = others[:, :near].sum(axis=1)
    return scores
