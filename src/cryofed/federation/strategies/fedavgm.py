"""FedAvgM: the mean step with momentum at the aggregator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cryofed.federation.strategies.means import WEIGHTINGS, mean
from cryofed.federation.strategies.ranges import between, one_of, positive
from cryofed.federation.strategies.strategy import State, Strategy, zeros
from cryofed.federation.wire.updates import Update


@dataclass(frozen=True, slots=True, kw_only=True)
class FedAvgM(Strategy):
    """`m ← β m + Δ; x ← x + η m` with `Δ` FedAvg's mean (Hsu 2019, section 4.3)."""

    name = "fedavgm"
    paper = "Hsu et al., Measuring the Effects of Non-Identical Data Distribution, arXiv:1909.06335"
    weighting: str = "examples"
    momentum: float = 0.5  # β; the paper's 0.9 wants η near 0.1
    learning_rate: float = 1.0  # η

    def __post_init__(self) -> None:
        one_of(self, "weighting", WEIGHTINGS)
        between(self, "momentum", 0, 1)
        positive(self, "learning_rate")

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """One step along the momentum."""
        step = mean(updates, self.weighting).vector
        momentum = state.memory.get("momentum", zeros(step)) * np.float32(self.momentum)
        momentum += step
        return State(
            vector=state.vector + np.float32(self.learning_rate) * momentum,
            memory={"momentum": momentum},
            round_number=state.round_number + 1,
        )
