"""FedYogi: Yogi at the aggregator, whose scale forgets slowly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cryofed.federation.strategies.adaptive import PAPER, adaptive_step
from cryofed.federation.strategies.means import WEIGHTINGS
from cryofed.federation.strategies.ranges import between, one_of, positive
from cryofed.federation.strategies.strategy import State, Strategy
from cryofed.federation.updates import Update
from cryofed.learning.vector import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class FedYogi(Strategy):
    """`v ← v − (1 − β₂) Δ² sign(v − Δ²)` (Reddi 2021, Algorithm 2)."""

    name = "fedyogi"
    paper = PAPER
    weighting: str = "examples"
    learning_rate: float = 0.01  # η
    momentum: float = 0.9  # β₁
    decay: float = 0.99  # β₂
    floor: float = 1e-3  # τ: below it numbers are not scaled up

    def __post_init__(self) -> None:
        one_of(self, "weighting", WEIGHTINGS)
        positive(self, "learning_rate")
        between(self, "momentum", 0, 1)
        between(self, "decay", 0, 1)
        positive(self, "floor")

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """One adaptive step."""
        return adaptive_step(
            state,
            updates,
            weighting=self.weighting,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            floor=self.floor,
            second=self._second,
        )

    def _second(self, v: Vector, square: Vector) -> Vector:
        gain = np.float32(1 - self.decay)
        changed: Vector = v - gain * square * np.sign(v - square)
        return changed
