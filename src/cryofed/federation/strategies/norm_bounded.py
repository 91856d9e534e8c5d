"""Norm-bounded mean: no site moves the model farther than the others do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cryofed.federation.strategies.blocks import gather, norms, weighted_sum
from cryofed.federation.strategies.means import WEIGHTINGS, weight_of
from cryofed.federation.strategies.ranges import between, one_of
from cryofed.federation.strategies.strategy import State, Strategy
from cryofed.federation.wire.updates import Update


@dataclass(frozen=True, slots=True, kw_only=True)
class NormBounded(Strategy):
    """`x ← x + Σ p_i Δ_i min(1, C / ‖Δ_i‖)` (Sun 2019, section 4).

    `bound` is C; 0 takes the median norm of the round, so that it follows the training.
    """

    name = "norm-bounded"
    paper = "Sun et al., Can You Really Backdoor Federated Learning?, arXiv:1911.07963"
    needs_all = True
    needs_rows = True
    weighting: str = "equal"
    bound: float = 0.0

    def __post_init__(self) -> None:
        one_of(self, "weighting", WEIGHTINGS)
        between(self, "bound", 0, 1e30)

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """The step of bounded parts."""
        all_updates = gather(updates)
        weights = np.array([weight_of(update, self.weighting) for update in all_updates])
        step = weighted_sum(all_updates, bounded(all_updates, self.bound) * weights / weights.sum())
        step += state.vector
        return State(vector=step, memory=state.memory, round_number=state.round_number + 1)


def bounded(updates: list[Update], bound: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """`(n,)` factors that bring every update within the bound."""
    lengths = norms(updates)
    limit = bound or float(np.median(lengths))
    return np.minimum(1, limit / np.maximum(lengths, 1e-30))
