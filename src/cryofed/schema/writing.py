"""Write a noun as TOML, with a comment on every field that says what it means and what it may be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from typing import Any


def lines_of(noun: Any) -> Iterator[str]:
    """One line for each field that is a number, word or switch; nested nouns are the caller's."""
    for rule in fields(noun):
        value = getattr(noun, rule.name)
        if not is_dataclass(value) and isinstance(value, (bool, int, float, str)):
            yield line(rule, value)


def table_of(name: str, noun: Any) -> Iterator[str]:
    """An empty line, the table's head, and its lines."""
    yield from ("", f"[{name}]", *lines_of(noun))


def line(rule: Field[Any], value: bool | int | float | str) -> str:
    """A field with its value and comment; what may have a fraction is written with one: 300 as 300.0."""
    if isinstance(rule.default, float) and not isinstance(value, str):
        value = float(value)
    choices = rule.metadata.get("choices")
    tail = f" ({', '.join(choices)})" if choices else ""
    text = rule.metadata.get("help", "")
    return f"{rule.name} = {toml(value)}" + (f"  # {text}{tail}" if text else "")


def toml(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):  # JSON escapes as TOML does, except for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(toml(item) for item in value)}]"
    return repr(value)
