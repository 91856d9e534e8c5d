"""DiLoCo: many local steps, and Nesterov momentum on the rounds' mean change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cryofed.federation.strategies.means import WEIGHTINGS, mean
from cryofed.federation.strategies.ranges import between, one_of, positive
from cryofed.federation.strategies.strategy import State, Strategy, zeros
from cryofed.federation.wire.updates import Update


@dataclass(frozen=True, slots=True, kw_only=True)
class DiLoCo(Strategy):
    """`m ← β m + Δ; x ← x + η (Δ + β m)` with `Δ` the mean change (Douillard 2023, algorithm 1).

    The outer optimizer is SGD with Nesterov momentum on the change that a round brought; at the sites AdamW
    runs for many steps. The authors weigh all workers alike and take η = 0.7, β = 0.9 over hundreds of
    rounds. With the ten to thirty rounds of a campaign a momentum of 0.9 has not settled when it ends: each
    change counts `η / (1 - β)` times in all, here 2.
    """

    name = "diloco"
    paper = "Douillard et al., DiLoCo, arXiv:2311.08105"
    weighting: str = "equal"
    momentum: float = 0.5  # β
    learning_rate: float = 1.0  # η

    def __post_init__(self) -> None:
        one_of(self, "weighting", WEIGHTINGS)
        between(self, "momentum", 0, 1)
        positive(self, "learning_rate")

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """One step along the change and the momentum that it leaves behind."""
        step = mean(updates, self.weighting).vector
        beta, rate = np.float32(self.momentum), np.float32(self.learning_rate)
        momentum = state.memory.get("momentum", zeros(step)) * beta
        momentum += step
        return State(
            vector=np.asarray(state.vector + rate * (step + beta * momentum), np.float32),
            memory={"momentum": momentum},
            round_number=state.round_number + 1,
        )
