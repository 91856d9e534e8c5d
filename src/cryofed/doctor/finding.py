"""What a check found, and how bad it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from cryofed.errors import CryoFedError

State = Literal["good", "note", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report.

    `good` is as it should be, `note` is worth knowing, `bad` stops something that was asked about.
    """

    subject: str
    state: State
    found: str
    remedy: str = ""  # what to do; empty where nothing needs to be done


def good(subject: str, found: str) -> Finding:
    """It is as it should be."""
    return Finding(subject=subject, state="good", found=found)


def note(subject: str, found: str, remedy: str = "") -> Finding:
    """It is worth knowing."""
    return Finding(subject=subject, state="note", found=found, remedy=remedy)


def bad(subject: str, found: str, remedy: str) -> Finding:
    """It stops something."""
    return Finding(subject=subject, state="bad", found=found, remedy=remedy)


def checked(subject: str, check: Callable[[], str]) -> Finding:
    """What a check of the product says: its words if it passes, the error's own line if it does not."""
    try:
        return good(subject, check())
    except CryoFedError as error:
        return wrong(subject, error)


def wrong(subject: str, error: CryoFedError) -> Finding:
    """An error as a finding: its line up to the remedy, and the remedy."""
    found, _, remedy = str(error).partition("; ")
    return bad(subject, found, remedy)


def worst(findings: Sequence[Finding]) -> State:
    """The gravest state of all."""
    order: tuple[State, ...] = ("good", "note", "bad")
    return max((one.state for one in findings), key=order.index, default="good")
