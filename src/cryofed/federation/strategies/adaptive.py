"""FedAdam, FedYogi and FedAdagrad: a step scaled per number, one algorithm with three scales."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cryofed.federation.strategies.means import WEIGHTINGS, mean
from cryofed.federation.strategies.ranges import between, one_of, positive
from cryofed.federation.strategies.strategy import State, Strategy, zeros
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptive(Strategy):
    """`m ← β₁ m + (1 − β₁) Δ; v ← second(v, Δ²); x ← x + η m / (√v + τ)` (Reddi 2021, Algorithm 2).

    `v` starts at τ²; there is no bias correction, as in the paper.
    """

    paper = "Reddi et al., Adaptive Federated Optimization, ICLR 2021"
    weighting: str = "examples"
    learning_rate: float = 0.01  # η
    momentum: float = 0.9  # β₁
    floor: float = 1e-3  # τ: below it numbers are not scaled up

    def __post_init__(self) -> None:
        one_of(self, "weighting", WEIGHTINGS)
        positive(self, "learning_rate")
        between(self, "momentum", 0, 1)
        positive(self, "floor")
        if hasattr(self, "decay"):
            between(self, "decay", 0, 1)

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """One adaptive step."""
        step = mean(updates, self.weighting).vector
        first = state.memory.get("first", zeros(step)) * np.float32(self.momentum)
        first += np.float32(1 - self.momentum) * step
        v = state.memory.get("second")
        v = self.second(np.full_like(step, self.floor**2) if v is None else v, np.square(step))
        scale = np.sqrt(v) + np.float32(self.floor)
        change = np.asarray(np.float32(self.learning_rate) * first / scale, np.float32)
        return State(
            vector=state.vector + change,
            memory={"first": first, "second": v},
            round_number=state.round_number + 1,
        )

    @abstractmethod
    def second(self, v: Vector, square: Vector) -> Vector:
        """The next `v`, from the last one and Δ²."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FedAdam(Adaptive):
    """`v ← β₂ v + (1 − β₂) Δ²`."""

    name = "fedadam"
    decay: float = 0.99  # β₂

    def second(self, v: Vector, square: Vector) -> Vector:
        """A running mean."""
        keep = np.float32(self.decay)
        changed: Vector = keep * v + (1 - keep) * square
        return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class FedYogi(Adaptive):
    """`v ← v − (1 − β₂) Δ² sign(v − Δ²)`: forgets slowly."""

    name = "fedyogi"
    decay: float = 0.99  # β₂

    def second(self, v: Vector, square: Vector) -> Vector:
        """A step of bounded size."""
        gain = np.float32(1 - self.decay)
        changed: Vector = v - gain * square * np.sign(v - square)
        return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class FedAdagrad(Adaptive):
    """`v ← v + Δ²`: never forgets."""

    name = "fedadagrad"
    momentum: float = 0.0  # β₁

    def second(self, v: Vector, square: Vector) -> Vector:
        """The sum."""
        changed: Vector = v + square
        return changed
