"""FedAvg against a slow reference."""

import numpy as np
import pytest

from cryofed.errors import FederationError
from cryofed.federation.strategies.fedavg import FedAvg
from cryofed.federation.strategies.strategy import State


def test_fedavg_counts_each_site_by_its_labels(update) -> None:
    state = State(vector=np.array([10.0, 0.0], np.float32))
    after = FedAvg().combine(state, [update("a", [0, 4], examples=1), update("b", [4, 0], examples=3)])
    assert after.vector.tolist() == [13.0, 1.0]  # 10 + (1*0 + 3*4)/4 ; 0 + (1*4 + 3*0)/4
    assert after.round_number == 1


@pytest.mark.parametrize(
    ("weighting", "weights"), [("examples", [1, 2, 3]), ("root", [1, 2**0.5, 3**0.5]), ("equal", [1, 1, 1])]
)
def test_fedavg_is_the_weighted_average_of_numpy(
    random_updates, weighting: str, weights: list[float]
) -> None:
    updates = random_updates(3, 200_000)  # more than three blocks
    state = State(vector=np.ones(200_000, np.float32))
    after = FedAvg(weighting=weighting, learning_rate=0.5).combine(state, iter(updates))
    slow = 1 + 0.5 * np.average([u.vector.astype(np.float64) for u in updates], axis=0, weights=weights)
    np.testing.assert_allclose(after.vector, slow, atol=1e-6)  # float32 sums of three


def test_updates_out_of_order_are_refused_because_their_sum_has_other_bits(update) -> None:
    state = State(vector=np.zeros(1, np.float32))
    with pytest.raises(FederationError, match="sort them by site"):
        FedAvg().combine(state, [update("b", [1]), update("a", [1])])


def test_no_update_is_refused() -> None:
    with pytest.raises(FederationError, match="quorum"):
        FedAvg().combine(State(vector=np.zeros(1, np.float32)), [])


def test_the_updates_themselves_are_left_as_they_were(random_updates) -> None:
    updates = random_updates(3, 10)
    before = [u.vector.copy() for u in updates]
    FedAvg().combine(State(vector=np.zeros(10, np.float32)), updates)
    assert all((u.vector == b).all() for u, b in zip(updates, before, strict=True))
