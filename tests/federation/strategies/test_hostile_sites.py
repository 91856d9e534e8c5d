"""One of five sites attacks while all five, unlike each other, learn one logistic regression in NumPy.

The same attacks on the real network are a benchmark: `python -m benchmarks strategies`.
"""

from functools import cache

import numpy as np
import pytest

from cryofed.federation.strategies.registry import make_strategy
from cryofed.federation.wire.updates import Update
from cryofed.learning.metrics import auc

SIZE, ROUNDS = 30, 20
TRUTH = np.random.default_rng(0).standard_normal(SIZE)
ATTACKS = ("sign-flip", "scaled", "label-flip", "free-rider")


def data(site: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Each site sees its own part of the space, of its own size; 10 % of the labels are wrong."""
    rng = np.random.default_rng(100 + site)
    scale = np.where(np.arange(SIZE) % 5 == site % 5, 2.0, 0.7)
    x = rng.standard_normal((n + 80 * site, SIZE)) * scale
    y = (x @ TRUTH > 0) ^ (rng.random(len(x)) < 0.1)
    return x, y


def trained(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    for _ in range(20):
        w = w - 0.1 * x.T @ (1 / (1 + np.exp(-x @ w)) - y) / len(x)
    return w


@cache
def final_auc(strategy_name: str, attack: str) -> float:
    strategy = make_strategy(strategy_name, {})
    state = strategy.start(np.zeros(SIZE, np.float32))
    for number in range(ROUNDS):
        updates = []
        for site in range(5):
            x, y = data(site)
            hostile = site == 4
            if hostile and attack == "label-flip":
                y = ~y
            start = state.vector.astype(np.float64)
            delta, examples = trained(start, x, y) - start, len(x)
            if hostile and attack == "sign-flip":
                delta *= -4
            elif hostile and attack == "scaled":
                delta *= 100
            elif hostile and attack == "free-rider":
                noise = np.random.default_rng(number).standard_normal(SIZE)
                delta, examples = noise * np.linalg.norm(delta) / np.linalg.norm(noise), 100_000
            updates.append(
                Update(
                    site=f"site-{site}",
                    round_number=number + 1,
                    model_hash="",
                    layout_hash="",
                    vector=delta.astype(np.float32),
                    examples=examples,
                    steps=20,
                )
            )
        state = strategy.combine(state, updates)
    x = np.random.default_rng(7).standard_normal((4000, SIZE))
    return auc(x @ state.vector, x @ TRUTH > 0)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("name", ["robust", "multi-krum"])
def test_a_hostile_site_costs_a_robust_rule_at_most_a_hundredth_of_auc(name: str, attack: str) -> None:
    assert final_auc(name, attack) >= final_auc(name, "none") - 0.01


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("name", ["norm-bounded", "trimmed-mean", "median", "geometric-median"])
def test_a_single_defense_costs_more_but_holds(name: str, attack: str) -> None:
    # Sites this unlike cost 0.013 to 0.022 under a flipped sign where bound and trim do not stand together.
    assert final_auc(name, attack) >= final_auc(name, "none") - 0.03


def test_the_robust_default_costs_next_to_nothing_when_all_are_honest() -> None:
    assert final_auc("robust", "none") >= final_auc("fedavg", "none") - 0.005


def test_the_plain_mean_is_broken_by_a_flipped_sign_and_by_a_liar_about_examples() -> None:
    assert final_auc("fedavg", "sign-flip") < final_auc("fedavg", "none") - 0.1
    assert final_auc("fedavg", "free-rider") < final_auc("fedavg", "none") - 0.1
