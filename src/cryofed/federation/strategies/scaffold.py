"""SCAFFOLD: each site corrects its drift by what it knows of the others' gradients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cryofed.errors import FederationError
from cryofed.federation.strategies.means import WEIGHTINGS, mean
from cryofed.federation.strategies.ranges import between, one_of, positive
from cryofed.federation.strategies.strategy import Memory, State, Strategy, Train, channel, zeros
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaffold(Strategy):
    """Local gradients plus `c − c_i` (Karimireddy 2020, Algorithm 1).

    `c_i` becomes the mean of the site's own gradients over its steps. For plain SGD that is the paper's
    option II, `c_i − c + (x − y) / (K η)`, to rounding; for AdamW, which rescales gradients, it is the
    form that keeps its meaning. Messages are `[x, c]`, updates `[Δy, Δc_i]`.
    """

    name = "scaffold"
    paper = "Karimireddy et al., SCAFFOLD: Stochastic Controlled Averaging, ICML 2020"
    channels = 2
    weighting: str = "equal"
    learning_rate: float = 1.0  # η_g
    sites: int = 0  # N, when only some of them answer each round; 0 takes those that did

    def __post_init__(self) -> None:
        one_of(self, "weighting", WEIGHTINGS)
        positive(self, "learning_rate")
        between(self, "sites", 0, 1e9)

    def start(self, vector: Vector) -> State:
        """No correction at first."""
        return State(vector=vector, memory={"control": zeros(vector)})

    def message(self, state: State) -> Vector:
        """`[x, c]`."""
        return np.concatenate([state.vector, state.memory["control"]])

    def site_round(self, message: Vector, memory: Memory, train: Train) -> tuple[Vector, Memory]:
        """Train with the correction; the new `c_i` is the mean gradient."""
        received, control = channel(message, 0, 2), channel(message, 1, 2)
        own = memory.get("control", zeros(control))
        fit = train(received, drift=control - own)
        if fit.gradient is None:
            raise FederationError("scaffold: the learner gave no mean gradient; it must when drift is given")
        return np.concatenate([fit.vector - received, fit.gradient - own]), {"control": fit.gradient}

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """`x ← x + η_g mean Δy; c ← c + |S| / N · mean Δc`."""
        average = mean(updates, self.weighting)
        share = average.sites / max(self.sites, average.sites)
        return State(
            vector=state.vector + np.float32(self.learning_rate) * channel(average.vector, 0, 2),
            memory={"control": state.memory["control"] + np.float32(share) * channel(average.vector, 1, 2)},
            round_number=state.round_number + 1,
        )
