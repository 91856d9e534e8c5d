"""FedDyn: a regularizer that moves, so that local optima and the common one agree in the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cryofed.federation.strategies.means import mean
from cryofed.federation.strategies.ranges import between, positive
from cryofed.federation.strategies.strategy import Memory, State, Strategy, Train, zeros
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class FedDyn(Strategy):
    """Local loss minus `⟨λ_i, y⟩` plus `α/2 ‖y − x‖²` (Acar 2021, Algorithm 1).

    At the site `λ_i ← λ_i − α Δ_i`; at the aggregator `h ← h − α |S|/N · mean Δ` and
    `x ← x + mean Δ − h / α`. Every site counts the same, as in the paper.
    """

    name = "feddyn"
    paper = "Acar et al., Federated Learning Based on Dynamic Regularization, ICLR 2021"
    alpha: float = 0.01
    sites: int = 0  # N, when only some of them answer each round; 0 takes those that did

    def __post_init__(self) -> None:
        positive(self, "alpha")
        between(self, "sites", 0, 1e9)

    def site_round(self, message: Vector, memory: Memory, train: Train) -> tuple[Vector, Memory]:
        """Train with pull `α` and drift `−λ_i`."""
        multiplier = memory.get("multiplier", zeros(message))
        delta: Vector = train(message, pull=self.alpha, drift=-multiplier).vector - message
        return delta, {"multiplier": multiplier - np.float32(self.alpha) * delta}

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """The mean step, corrected by what all steps so far left over."""
        average = mean(updates, "equal")
        share = np.float32(average.sites / max(self.sites, average.sites))
        # h / α is kept instead of h: the same vector without two roundings.
        left = state.memory.get("left", zeros(average.vector)) - share * average.vector
        return State(
            vector=state.vector + average.vector - left,
            memory={"left": left},
            round_number=state.round_number + 1,
        )
