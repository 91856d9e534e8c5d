"""Which projects are held out."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from cryofed.library.split import FRACTION, held_out, share

NAMES = st.sets(st.text(min_size=1, max_size=8), min_size=2, max_size=12)


def marks(names: Iterable[str]) -> dict[str, str]:
    return {name: f"pictures of {name}" for name in names}


def test_a_share_is_the_same_everywhere() -> None:
    # SHA-256 of "cryofed held out\0P1" begins with these eight bytes.
    assert share("P1") == int("781738d8ded6ebce", 16) / 2**64


def test_a_single_project_trains() -> None:
    low = next(name for name in map(str, range(99)) if share(name) < FRACTION)
    assert held_out({}, {"only": low}) == {"only": False}


@given(NAMES)
def test_of_several_projects_some_are_held_out_and_some_train(names: set[str]) -> None:
    fate = held_out({}, marks(names))
    assert set(fate) == names
    assert set(fate.values()) == {True, False}


@given(NAMES, NAMES)
def test_the_order_does_not_matter_and_what_is_decided_is_not_decided_again(
    old: set[str], new: set[str]
) -> None:
    decided = held_out({}, marks(sorted(old)))
    assert decided == held_out({}, marks(sorted(old, reverse=True)))
    assert not set(held_out(decided, marks(old | new))) & old


def test_many_projects_are_held_out_at_the_fraction() -> None:
    fate = held_out({}, marks(f"project{i}" for i in range(2000)))
    assert abs(sum(fate.values()) / 2000 - FRACTION) < 0.04  # 4.5 deviations of a binomial


def test_the_second_project_is_held_out_when_the_first_has_trained() -> None:
    assert held_out({"first": False}, marks(["second"])) == {"second": True}
