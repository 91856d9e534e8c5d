"""A strategy's parameters are checked when it is made: name, found, remedy."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import NoReturn

from cryofed.errors import InputError


def refuse(strategy: object, field: str, remedy: str) -> NoReturn:
    """One line: which strategy, which parameter, what was found, what to write."""
    found = repr(getattr(strategy, field))
    raise InputError(f"strategy {getattr(strategy, 'name', '?')}", field, f"found {found}", remedy)


def one_of(strategy: object, field: str, choices: Sequence[str]) -> None:
    """The parameter is one of the words."""
    if getattr(strategy, field) not in choices:
        refuse(strategy, field, f"use one of {', '.join(choices)}")


def positive(strategy: object, field: str) -> None:
    """The parameter is finite and above 0."""
    value = getattr(strategy, field)
    if not (isfinite(value) and value > 0):
        refuse(strategy, field, "use a number above 0")


def between(
    strategy: object,
    field: str,
    low: float,
    high: float,
    *,
    closed_low: bool = True,
    closed_high: bool = False,
) -> None:
    """The parameter lies in the interval; by default the lower end belongs to it, the upper does not."""
    value = getattr(strategy, field)
    above = value >= low if closed_low else value > low
    below = value <= high if closed_high else value < high
    if not (isfinite(value) and above and below):
        ends = f"{'[' if closed_low else '('}{low:g}, {high:g}{']' if closed_high else ')'}"
        refuse(strategy, field, f"use a number in {ends}")
