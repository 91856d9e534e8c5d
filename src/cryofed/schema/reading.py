"""Read a TOML file into a frozen dataclass: an unknown, missing or wrong field is refused by its name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from cryofed.errors import InputError

T = TypeVar("T")
Reader = Callable[[object, "Path | str"], Any]  # of a value, and the file to name in an error
_NOTHING: Mapping[type, Reader] = MappingProxyType({})
_WORDS = {int: "a whole number", float: "a number", str: "a word in quotes", bool: "true or false"}


def read_toml(path: Path, role: str, remedy: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Args:
        path: the file.
        role: what the file is, for an error: "plan", "policy".
        remedy: what to do where there is none.

    Raises:
        InputError: no such file, no right to read it, or no TOML.
    """
    try:
        return parse_toml(path.read_text(encoding="utf-8"), path)
    except FileNotFoundError:
        raise InputError(path, role, "no such file", remedy) from None
    except OSError as error:
        raise InputError(path, role, error.strerror or "unreadable", "give a readable file") from None
    except UnicodeDecodeError as error:
        raise InputError(path, "TOML", str(error), "save the file as UTF-8") from None


def parse_toml(text: str, path: Path | str) -> dict[str, Any]:
    """The tables in a text; `path` names where it is from.

    Raises:
        InputError: no TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(path, "TOML", str(error), "correct this line") from None
    except ValueError:  # a whole number of thousands of digits
        raise InputError(path, "TOML", "a number that is too long", "write a shorter one") from None
    except RecursionError:
        raise InputError(path, "TOML", "tables within tables without end", "write a flat file") from None


def noun_of(
    kind: type[T],
    table: object,
    path: Path | str,
    where: str = "",
    readers: Mapping[type, Reader] = _NOTHING,
) -> T:
    """The noun in a table.

    Args:
        kind: a dataclass, whose fields are those of `schema.fields`, other dataclasses, or tuples of them.
        table: as TOML gives it.
        path: the file to name in an error.
        where: the table's name in the file; empty for the whole file.
        readers: of the fields' types that have a form of their own.

    Raises:
        InputError: an unknown field (the nearest known one is named), a missing one, or a wrong value.
    """
    if not isinstance(table, Mapping):
        raise InputError(path, where or "content", shown(table), f"write a table, [{where}]")
    rules = fields(kind)  # type: ignore[arg-type]  # every kind is a dataclass
    known = {f.name: f for f in rules if not f.metadata.get("inner")}
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in table.items():
        place = f"{where}.{key}" if where else str(key)
        if key not in known:
            raise unknown(path, place, str(key), known)
        hint = hints[key]
        if hint in readers:
            values[key] = readers[hint](value, path)
        elif is_dataclass(hint) and isinstance(hint, type):
            values[key] = noun_of(hint, value, path, place, readers)
        elif get_origin(hint) is tuple:
            values[key] = _all(get_args(hint)[0], value, path, place, readers)
        else:
            values[key] = checked(hint, known[key].metadata, value, path=path, where=place)
    for name, rule in known.items():
        if name not in values and rule.default is MISSING and rule.default_factory is MISSING:
            place = f"{where}.{name}" if where else name
            raise InputError(path, place, "missing", f"write it: {rule.metadata.get('help', name)}")
    return kind(**values)


def _all(
    kind: type[T], rows: object, path: Path | str, where: str, readers: Mapping[type, Reader]
) -> tuple[T, ...]:
    if not isinstance(rows, list):
        raise InputError(path, where, shown(rows), f"write one [[{where}]] table for each")
    return tuple(noun_of(kind, row, path, where, readers) for row in rows)


def checked(kind: type, rule: Mapping[str, Any], value: object, *, path: Path | str, where: str) -> Any:
    """One number, word or switch, held against its rule.

    Raises:
        InputError: of another type, or outside what the rule allows.
    """
    if kind is float and type(value) is int:
        value = _float(value, path, where)
    if type(value) is not kind:
        raise InputError(path, where, shown(value), f"give {_WORDS[kind]}")
    if isinstance(value, str):
        if rule.get("choices") and value not in rule["choices"]:
            raise InputError(path, where, shown(value), f"choose one of: {', '.join(rule['choices'])}")
        if rule.get("pattern") and not re.fullmatch(rule["pattern"], value):
            raise InputError(path, where, shown(value), rule["remedy"])
    elif not isinstance(value, bool) and isinstance(value, (int, float)):
        least, most = rule.get("least", float("-inf")), rule.get("most", float("inf"))
        if not least <= value <= most:  # NaN fails too
            raise InputError(path, where, shown(value), f"give a number from {least:g} to {most:g}")
    return value


def unknown(path: Path | str, where: str, key: str, known: Collection[str]) -> InputError:
    """What is said of a field that is not known: the nearest one that is, or all of them."""
    near = get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"
    return InputError(path, where, "an unknown field", hint)


def shown(value: object) -> str:
    """A value as it is shown in an error."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _float(value: int, path: Path | str, where: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise InputError(path, where, "a number of hundreds of digits", "give a smaller number") from None
