"""What FedAdam, FedYogi and FedAdagrad share: a step scaled per number (Reddi 2021, Algorithm 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from cryofed.federation.strategies.means import mean
from cryofed.federation.strategies.strategy import State, zeros
from cryofed.federation.updates import Update
from cryofed.learning.vector import Vector

PAPER = "Reddi et al., Adaptive Federated Optimization, ICLR 2021"


def adaptive_step(
    state: State,
    updates: Iterable[Update],
    *,
    weighting: str,
    learning_rate: float,
    momentum: float,
    floor: float,
    second: Callable[[Vector, Vector], Vector],
) -> State:
    """`m ← β₁ m + (1 − β₁) Δ; v ← second(v, Δ²); x ← x + η m / (√v + τ)`.

    `momentum` is β₁; `floor` is τ, and `v` starts at τ²; no bias correction, as in the paper.
    """
    step = mean(updates, weighting).vector
    first = state.memory.get("first", zeros(step)) * np.float32(momentum)
    first += np.float32(1 - momentum) * step
    v = state.memory.get("second")
    v = second(np.full_like(step, floor**2) if v is None else v, np.square(step))
    change = np.asarray(np.float32(learning_rate) * first / (np.sqrt(v) + np.float32(floor)), np.float32)
    return State(
        vector=state.vector + change,
        memory={"first": first, "second": v},
        round_number=state.round_number + 1,
    )
