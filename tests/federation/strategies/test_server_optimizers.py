"""FedAvgM, DiLoCo, FedAdam, FedYogi, FedAdagrad: two rounds of one number, worked out with plain floats."""

from math import sqrt

import numpy as np
import pytest

from cryofed.federation.strategies.adaptive import FedAdagrad, FedAdam, FedYogi
from cryofed.federation.strategies.diloco import DiLoCo
from cryofed.federation.strategies.fedavgm import FedAvgM
from cryofed.federation.strategies.strategy import Strategy


def two_rounds(strategy: Strategy, update, first: float, second: float) -> float:
    state = strategy.start(np.zeros(1, np.float32))
    for step in (first, second):
        state = strategy.combine(state, [update("a", [step])])
    return float(state.vector[0])


def test_fedavgm_keeps_half_of_the_last_step(update) -> None:
    # m1 = 1, x = 1; m2 = 0.5 * 1 + 2 = 2.5, x = 3.5
    assert two_rounds(FedAvgM(momentum=0.5), update, 1, 2) == 3.5


def test_fedavgm_without_momentum_is_fedavg(update) -> None:
    assert two_rounds(FedAvgM(momentum=0.0), update, 1, 2) == 3.0


def test_diloco_looks_ahead_along_its_momentum(update) -> None:
    # m1 = 1, x = 1 + 0.5 * 1 = 1.5; m2 = 0.5 * 1 + 2 = 2.5, x = 1.5 + 2 + 0.5 * 2.5 = 4.75
    assert two_rounds(DiLoCo(momentum=0.5, learning_rate=1.0), update, 1, 2) == 4.75


def test_diloco_without_momentum_is_the_mean_change(update) -> None:
    assert two_rounds(DiLoCo(momentum=0.0, learning_rate=1.0), update, 1, 2) == 3.0


def slow_adaptive(second, beta: float, eta: float, tau: float, steps: tuple[float, ...]) -> float:
    x, m, v = 0.0, 0.0, tau * tau
    for step in steps:
        m = beta * m + (1 - beta) * step
        v = second(v, step)
        x += eta * m / (sqrt(v) + tau)
    return x


@pytest.mark.parametrize(
    ("strategy", "second", "beta"),
    [
        (FedAdam(), lambda v, d: 0.99 * v + 0.01 * d * d, 0.9),
        (FedYogi(), lambda v, d: v - 0.01 * d * d * (1 if v > d * d else -1), 0.9),
        (FedAdagrad(), lambda v, d: v + d * d, 0.0),
    ],
)
def test_adaptive_steps_follow_algorithm_2(strategy: Strategy, second, beta: float, update) -> None:
    for steps in [(0.5, -0.2), (1e-5, 3.0)]:
        slow = slow_adaptive(second, beta, 0.01, 1e-3, steps)
        assert two_rounds(strategy, update, *steps) == pytest.approx(slow, rel=1e-5)  # float32
