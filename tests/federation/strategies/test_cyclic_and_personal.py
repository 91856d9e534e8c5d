"""Cyclic transfer takes turns; personal parts never leave."""

from dataclasses import dataclass

import numpy as np
import pytest

from cryofed.errors import FederationError
from cryofed.federation.strategies.cyclic import Cyclic
from cryofed.federation.strategies.personal import Personal
from cryofed.learning.vector import Layout, Vector

LAYOUT = Layout(
    ("trunk.0.weight", "trunk.1.weight", "trunk.1.bias", "head.0.weight"), ((2, 2), (2,), (2,), (1, 2))
)


@dataclass(frozen=True)
class AddOne:
    """A learner that adds 1 to every number."""

    layout: Layout = LAYOUT

    def __call__(self, vector: Vector, *, pull: float = 0.0, drift: Vector | None = None) -> "AddOne.Fitted":
        return AddOne.Fitted(vector + 1)

    @dataclass(frozen=True)
    class Fitted:
        vector: Vector
        gradient: Vector | None = None


def test_sites_take_turns_by_name() -> None:
    turns = [list(Cyclic().schedule(r, ["b", "a", "c"])) for r in (1, 2, 3, 4)]
    assert turns == [["a"], ["b"], ["c"], ["a"]]


def test_cyclic_takes_the_one_model_and_refuses_two(update) -> None:
    state = Cyclic().start(np.array([5.0], np.float32))
    assert Cyclic().combine(state, [update("a", [2.0])]).vector.tolist() == [7.0]
    with pytest.raises(FederationError, match="2 updates in one round"):
        Cyclic().combine(state, [update("a", [1.0]), update("b", [1.0])])


def test_normalization_and_head_stay_at_the_site() -> None:
    strategy, message = Personal(), np.zeros(10, np.float32)
    delta, memory = strategy.site_round(message, {}, AddOne())
    assert delta.tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    again = np.full(10, 7, np.float32)  # the next common model
    own = strategy.own_model(again, memory, LAYOUT)
    assert own.tolist() == [7, 7, 7, 7, 1, 1, 1, 1, 1, 1]
    delta, memory = strategy.site_round(again, memory, AddOne())
    assert delta.tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert memory["personal"].tolist() == [0, 0, 0, 0, 2, 2, 2, 2, 2, 2]


def test_a_part_that_the_network_does_not_have_is_named() -> None:
    with pytest.raises(FederationError, match="no part 'tail'"):
        Personal(parts="tail").site_round(np.zeros(10, np.float32), {}, AddOne())


def test_the_real_network_has_normalization_and_a_head() -> None:
    pytest.importorskip("torch")
    from torch import nn

    from cryofed.learning.learner import initial_vector, layout, network

    mask = Personal()._mask(layout())
    assert mask[layout().span("head.")].all()
    norms = [m for m in network(initial_vector(1)).modules() if isinstance(m, nn.GroupNorm)]
    assert len(norms) == 9
    assert (mask & ~layout().span("head.")).sum() == sum(p.numel() for m in norms for p in m.parameters())
