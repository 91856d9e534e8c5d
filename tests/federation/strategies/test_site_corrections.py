"""FedProx, FedNova, SCAFFOLD, FedDyn on sites whose loss is a parabola: the optimum is known."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from cryofed.errors import FederationError
from cryofed.federation.strategies.fedavg import FedAvg
from cryofed.federation.strategies.feddyn import FedDyn
from cryofed.federation.strategies.fednova import FedNova
from cryofed.federation.strategies.fedprox import FedProx
from cryofed.federation.strategies.scaffold import Scaffold
from cryofed.federation.strategies.strategy import Strategy
from cryofed.learning.vector import Layout, Vector

LAYOUT = Layout(("w",), ((1,),))
# Site a: loss ½ · 1 · (w − 0)²; site b: ½ · 9 · (w − 1)². The sum is least at 9 / 10.
CURVATURES, CENTERS, OPTIMUM = (1.0, 9.0), (0.0, 1.0), 0.9


@dataclass(frozen=True)
class Parabola:
    """Plain gradient descent on ½ k (w − center)²."""

    curvature: float
    center: float
    layout: Layout = LAYOUT
    steps: int = 10
    learning_rate: float = 0.05

    def __call__(self, vector: Vector, *, pull: float = 0.0, drift: Vector | None = None) -> "Fitted":
        w, gradients = vector.astype(np.float64), []
        for _ in range(self.steps):
            gradients.append(self.curvature * (w - self.center))
            w = w - self.learning_rate * (
                gradients[-1] + pull * (w - vector) + (0 if drift is None else drift)
            )
        mean = None if drift is None else np.mean(gradients, axis=0).astype(np.float32)
        return Fitted(w.astype(np.float32), mean)


@dataclass(frozen=True)
class Fitted:
    vector: Vector
    gradient: Vector | None


def train(strategy: Strategy, rounds: int, update, steps: tuple[int, int] = (10, 10)) -> float:
    state = strategy.start(np.array([5.0], np.float32))
    memories = [{}, {}]
    for _ in range(rounds):
        updates = []
        for i, site in enumerate("ab"):
            learner = Parabola(CURVATURES[i], CENTERS[i], steps=steps[i])
            vector, memories[i] = strategy.site_round(strategy.message(state), memories[i], learner)
            updates.append(update(site, vector, steps=steps[i]))
        state = strategy.combine(state, updates)
    return float(state.vector[0])


def test_fedavg_settles_beside_the_optimum_and_scaffold_and_feddyn_settle_on_it(update) -> None:
    drifted = train(FedAvg(), 300, update)
    # Fixed point of FedAvg: w = mean of (c + (w − c) r) with r = (1 − η k)^10 for each site.
    r = [(1 - 0.05 * k) ** 10 for k in CURVATURES]
    fixed = sum(c * (1 - q) for c, q in zip(CENTERS, r, strict=True)) / sum(1 - q for q in r)
    assert drifted == pytest.approx(fixed, abs=1e-5)
    assert abs(fixed - OPTIMUM) > 0.1
    assert train(Scaffold(), 300, update) == pytest.approx(OPTIMUM, abs=1e-4)
    # With a small α FedDyn creeps: 3000 rounds, within float32 rounding.
    assert train(FedDyn(alpha=1.0), 3000, update) == pytest.approx(OPTIMUM, abs=1e-3)


def test_fedprox_settles_nearer_to_the_optimum_the_harder_it_pulls(update) -> None:
    gaps = [abs(train(FedProx(pull=mu), 500, update) - OPTIMUM) for mu in (0.01, 1.0, 10.0)]
    assert gaps[0] > gaps[1] > gaps[2]


def test_scaffold_control_is_option_two_of_the_paper_for_plain_descent() -> None:
    site = Parabola(9.0, 1.0)
    x, c, own = np.array([5.0], np.float32), np.array([0.3], np.float32), np.array([-0.7], np.float32)
    vector, memory = Scaffold().site_round(np.concatenate([x, c]), {"control": own}, site)
    option_two = own - c + (-vector[0]) / (site.steps * site.learning_rate)  # (x − y) / (K η)
    np.testing.assert_allclose(memory["control"], option_two, rtol=1e-5)
    np.testing.assert_allclose(vector[1], option_two[0] - own[0], rtol=1e-5)


def test_scaffold_moves_its_control_by_the_share_of_sites_that_answered(update) -> None:
    strategy = Scaffold(sites=4)
    after = strategy.combine(
        strategy.start(np.zeros(1, np.float32)), [update("a", [2, 8]), update("b", [4, 4])]
    )
    assert after.vector.tolist() == [3.0]  # (2 + 4) / 2
    assert after.memory["control"].tolist() == [3.0]  # 2/4 of (8 + 4) / 2


def test_feddyn_follows_algorithm_1(update) -> None:
    strategy = FedDyn(alpha=0.5, sites=4)
    state = strategy.start(np.array([1.0], np.float32))
    state = strategy.combine(state, [update("a", [2.0]), update("b", [4.0])])
    # h = 0 − α (1/4) (2 + 4) = −0.75; x = mean(1 + 2, 1 + 4) − h / α = 4 + 1.5
    assert state.vector.tolist() == [5.5]
    state = strategy.combine(state, [update("a", [1.0]), update("b", [-1.0])])
    # h = −0.75 − α (1/4) 0; x = mean(6.5, 4.5) + 1.5
    assert state.vector.tolist() == [7.0]


def test_fednova_gives_a_site_of_many_steps_no_more_pull(update) -> None:
    state = FedNova().start(np.zeros(1, np.float32))
    after = FedNova().combine(state, [update("a", [1.0], 1, steps=1), update("b", [-9.0], 3, steps=9)])
    # p = 1/4, 3/4; τ = 1/4 · 1 + 3/4 · 9 = 7; per step 1 and −1: 7 · (1/4 − 3/4)
    assert after.vector.tolist() == [-3.5]


def test_fednova_with_equal_steps_is_fedavg(random_updates) -> None:
    updates = [replace(u, steps=7) for u in random_updates(4, 100)]
    state = FedNova().start(np.zeros(100, np.float32))
    np.testing.assert_allclose(
        FedNova().combine(state, updates).vector, FedAvg().combine(state, updates).vector, atol=1e-6
    )


def test_fednova_refuses_an_update_without_steps(update) -> None:
    with pytest.raises(FederationError, match="no local step"):
        FedNova().combine(FedNova().start(np.zeros(1, np.float32)), [update("a", [1.0], steps=0)])
