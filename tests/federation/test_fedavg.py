"""FedAvg against a slow reference, and the rules every mean keeps."""

import numpy as np
import pytest

from cryofed.errors import FederationError, InputError
from cryofed.federation.strategies.fedavg import FedAvg
from cryofed.federation.strategies.registry import make_strategy
from cryofed.federation.strategies.strategy import State
from cryofed.federation.updates import Update


def update(site: str, vector: list[float], examples: int = 1, steps: int = 1) -> Update:
    return Update(
        site=site,
        round_number=1,
        model_hash="m",
        layout_hash="l",
        vector=np.array(vector, np.float32),
        examples=examples,
        steps=steps,
    )


def test_fedavg_counts_each_site_by_its_labels() -> None:
    state = State(vector=np.array([10.0, 0.0], np.float32))
    after = FedAvg().combine(state, [update("a", [0, 4], examples=1), update("b", [4, 0], examples=3)])
    assert after.vector.tolist() == [13.0, 1.0]  # 10 + (1*0 + 3*4)/4 ; 0 + (1*4 + 3*0)/4
    assert after.round_number == 1


def test_updates_out_of_order_are_refused_because_their_sum_has_other_bits() -> None:
    state = State(vector=np.zeros(1, np.float32))
    with pytest.raises(FederationError, match="sort them by site"):
        FedAvg().combine(state, [update("b", [1]), update("a", [1])])


def test_no_update_is_refused() -> None:
    with pytest.raises(FederationError, match="quorum"):
        FedAvg().combine(State(vector=np.zeros(1, np.float32)), [])


def test_a_wrong_name_is_answered_with_the_right_one() -> None:
    with pytest.raises(InputError, match=r"plan.toml: strategy.name: found 'fedavgg'; did you mean 'fedavg'"):
        make_strategy("fedavgg", {}, "plan.toml")


def test_a_wrong_parameter_type_or_value_is_answered_with_the_remedy() -> None:
    with pytest.raises(
        InputError, match=r"strategy.weightin: fedavg has no such parameter; did you mean 'weighting'"
    ):
        make_strategy("fedavg", {"weightin": "equal"})
    with pytest.raises(InputError, match="write a number"):
        make_strategy("fedavg", {"learning_rate": "fast"})
    with pytest.raises(InputError, match="use a number above 0"):
        make_strategy("fedavg", {"learning_rate": 0})
    assert make_strategy("fedavg", {"learning_rate": 1}) == FedAvg(learning_rate=1.0)
