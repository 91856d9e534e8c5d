"""FedAvg: the mean of the sites' models, each counted by its examples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cryofed.federation.strategies.means import WEIGHTINGS, mean
from cryofed.federation.strategies.ranges import one_of, positive
from cryofed.federation.strategies.strategy import State, Strategy
from cryofed.federation.wire.updates import Update


@dataclass(frozen=True, slots=True, kw_only=True)
class FedAvg(Strategy):
    """`x ← x + η Σ n_i Δ_i / Σ n_i` (McMahan 2017, Algorithm 1; η = 1 there)."""

    name = "fedavg"
    paper = "McMahan et al., Communication-Efficient Learning of Deep Networks, AISTATS 2017"
    weighting: str = "examples"
    learning_rate: float = 1.0  # η of the aggregator

    def __post_init__(self) -> None:
        one_of(self, "weighting", WEIGHTINGS)
        positive(self, "learning_rate")

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """The mean step."""
        step = mean(updates, self.weighting).vector
        step *= np.float32(self.learning_rate)
        step += state.vector
        return State(vector=step, memory=state.memory, round_number=state.round_number + 1)
