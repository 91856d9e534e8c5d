"""Fields of a noun that is read from TOML: a default, what it means, and what it may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, field
from typing import Any

NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"  # a DNS label: also a safe file name and certificate name
NAME_REMEDY = "use lower-case letters, digits and hyphens"


MOST = 2**53  # the bound where a field names none: larger whole numbers are not exact as floats


def number(default: Any, help_text: str, least: float = 0, most: float = MOST) -> Any:
    """A field that is a number in `[least, most]`; a whole one where the default is."""
    return field(default=default, metadata={"help": help_text, "least": least, "most": most})


def word(
    default: str, help_text: str, choices: tuple[str, ...] = (), pattern: str = "", remedy: str = ""
) -> Any:
    """A field that is a word: one of `choices`, or one that fits `pattern` (`remedy` says what does)."""
    rule = {"help": help_text, "choices": choices, "pattern": pattern, "remedy": remedy}
    return field(default=default, metadata=rule)


def needed(help_text: str) -> Any:
    """A field that every file must have."""
    return field(default=MISSING, metadata={"help": help_text})


def inner(factory: Callable[[], Any]) -> Any:
    """A field that no file says: the program fills it in."""
    return field(default_factory=factory, metadata={"inner": True})


def switch(default: bool, help_text: str) -> Any:
    """A field that is true or false."""
    return field(default=default, metadata={"help": help_text})
