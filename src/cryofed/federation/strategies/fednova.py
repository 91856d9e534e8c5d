"""FedNova: a site that took more steps does not count for more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from cryofed.errors import FederationError
from cryofed.federation.strategies.means import WEIGHTINGS, mean, weight_of
from cryofed.federation.strategies.ranges import one_of
from cryofed.federation.strategies.strategy import State, Strategy
from cryofed.federation.wire.updates import Update


@dataclass(frozen=True, slots=True, kw_only=True)
class FedNova(Strategy):
    """`x ← x + τ Σ p_i Δ_i / τ_i` with `τ = Σ p_i τ_i` (Wang 2020, equation 6; plain local steps)."""

    name = "fednova"
    paper = "Wang et al., Tackling the Objective Inconsistency Problem, NeurIPS 2020"
    needs_rows = True  # each update is divided by its own site's steps
    weighting: str = "examples"

    def __post_init__(self) -> None:
        one_of(self, "weighting", WEIGHTINGS)

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """The mean of steps of length one, times the mean number of steps."""
        weighted_steps = 0.0

        def per_step() -> Iterator[Update]:
            nonlocal weighted_steps
            for update in updates:
                if update.steps < 1:
                    raise FederationError(f"{update.site}: declares no local step; it must skip the round")
                weighted_steps += weight_of(update, self.weighting) * update.steps
                yield replace(update, vector=update.vector * np.float32(1 / update.steps))

        average = mean(per_step(), self.weighting)
        step = average.vector
        step *= np.float32(weighted_steps / average.weight)
        step += state.vector
        return State(vector=step, memory=state.memory, round_number=state.round_number + 1)
