"""FedProx: every site is pulled towards the common model while it trains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryofed.federation.strategies.means import WEIGHTINGS, mean
from cryofed.federation.strategies.ranges import one_of, positive
from cryofed.federation.strategies.strategy import Memory, State, Strategy, Train
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class FedProx(Strategy):
    """Local loss plus `μ/2 ‖y − x‖²`; the mean as in FedAvg (Li 2020, Algorithm 2)."""

    name = "fedprox"
    paper = "Li et al., Federated Optimization in Heterogeneous Networks, MLSys 2020"
    weighting: str = "examples"
    pull: float = 0.1  # μ

    def __post_init__(self) -> None:
        one_of(self, "weighting", WEIGHTINGS)
        positive(self, "pull")

    def site_round(self, message: Vector, memory: Memory, train: Train) -> tuple[Vector, Memory]:
        """Train with the pull."""
        return train(message, pull=self.pull).vector - message, memory

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """FedAvg's step."""
        step = mean(updates, self.weighting).vector
        step += state.vector
        return State(vector=step, memory=state.memory, round_number=state.round_number + 1)
