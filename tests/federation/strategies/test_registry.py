"""Every strategy is found by its name; a wrong word is answered with the right one."""

import inspect
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import cryofed.federation.strategies as room
from cryofed.errors import InputError
from cryofed.federation.strategies.fedavg import FedAvg
from cryofed.federation.strategies.registry import STRATEGIES, make_strategy
from cryofed.federation.strategies.strategy import Strategy


def test_every_strategy_in_the_room_is_registered_frozen_and_names_its_paper() -> None:
    found = set()
    for path in Path(room.__path__[0]).glob("*.py"):
        module = import_module(f"{room.__name__}.{path.stem}")
        found |= {
            kind
            for _, kind in inspect.getmembers(module, inspect.isclass)
            if issubclass(kind, Strategy) and not inspect.isabstract(kind)
        }
    assert found == set(STRATEGIES.values())
    for name, kind in STRATEGIES.items():
        assert kind.name == name
        assert is_dataclass(kind)
        assert kind.__dataclass_params__.frozen
        assert len(kind.paper) > 20


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_same_round_gives_the_same_bits_and_leaves_its_input_alone(name: str, random_updates) -> None:
    strategy = make_strategy(name, {})
    start = strategy.start(np.ones(1000, np.float32))
    updates = random_updates(1 if name == "cyclic" else 5, 1000 * strategy.channels)
    kept = [u.vector.copy() for u in updates]
    once, twice = strategy.combine(start, updates), strategy.combine(start, iter(updates))
    assert once.vector.tobytes() == twice.vector.tobytes()
    assert once.vector.dtype == np.float32
    assert once.round_number == 1
    assert (start.vector == 1).all()
    assert all((u.vector == k).all() for u, k in zip(updates, kept, strict=True))
    assert len(strategy.message(once)) == 1000 * strategy.channels


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_round_of_zero_updates_from_the_start_moves_nothing(name: str, update) -> None:
    strategy = make_strategy(name, {})
    start = strategy.start(np.ones(10, np.float32))
    sites = ["a"] if name == "cyclic" else list("abcde")
    after = strategy.combine(start, [update(s, np.zeros(10 * strategy.channels)) for s in sites])
    np.testing.assert_array_equal(after.vector, 1)


def test_a_wrong_name_is_answered_with_the_right_one() -> None:
    with pytest.raises(InputError, match=r"plan.toml: strategy.name: found 'fedavgg'; did you mean 'fedavg'"):
        make_strategy("fedavgg", {}, "plan.toml")


def test_a_wrong_parameter_type_or_value_is_answered_with_the_remedy() -> None:
    with pytest.raises(InputError, match=r"no such parameter; did you mean 'weighting'"):
        make_strategy("fedavg", {"weightin": "equal"})
    with pytest.raises(InputError, match="write a number"):
        make_strategy("fedavg", {"learning_rate": "fast"})
    with pytest.raises(InputError, match="use a number above 0"):
        make_strategy("fedavg", {"learning_rate": 0})
    assert make_strategy("fedavg", {"learning_rate": 1}) == FedAvg(learning_rate=1.0)


@pytest.mark.parametrize("name", STRATEGIES)
def test_no_parameter_takes_nan(name: str) -> None:
    for field in fields(STRATEGIES[name]):
        if isinstance(field.default, float):
            with pytest.raises(InputError):
                make_strategy(name, {field.name: float("nan")})


def test_each_strategy_says_whether_sums_are_enough_for_it() -> None:
    # With pairwise masks the aggregator sees sums alone. These were read off the formulas by hand.
    sums = {"fedavg", "fedavgm", "diloco", "fedadam", "fedyogi", "fedadagrad", "fedprox"}
    sums |= {"scaffold", "feddyn", "personal"}
    assert {name for name, kind in STRATEGIES.items() if not kind.needs_rows} == sums
    assert all(kind.needs_rows for kind in STRATEGIES.values() if kind.needs_all)
