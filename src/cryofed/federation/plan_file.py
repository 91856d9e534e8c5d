"""Read a plan from TOML, field by field, and write a commented one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from cryofed.errors import InputError
from cryofed.federation.plan import EnrolledSite, Plan, StrategyChoice

T = TypeVar("T")


def read_plan(path: Path) -> Plan:
    """The plan in this file; every field is checked, an unknown one is an error.

    Raises:
        InputError: names the file, the field, what was found, and the remedy.
    """
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError:
        raise InputError(
            path, "plan", "no such file", "write one with: cryofed federation new PLAN.toml"
        ) from None
    except OSError as error:
        raise InputError(path, "plan", error.strerror or "unreadable", "give a readable file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, "TOML", str(error), "correct this line") from None
    return plan_of(document, path)


def plan_of(document: Mapping[str, Any], path: Path | str = "plan") -> Plan:
    """The plan in a TOML document that was already parsed."""
    plan = _table(Plan, document, path, "")
    names = [site.name for site in plan.sites]
    for name in names:
        if not name:
            raise InputError(path, "sites.name", "none", "give every [[sites]] table a name")
        if names.count(name) > 1:
            raise InputError(path, "sites.name", f"{name} twice", "give every site its own name")
    if plan.sites and plan.rounds.min_updates > len(plan.sites):
        found = f"{plan.rounds.min_updates} for {len(plan.sites)} sites"
        raise InputError(path, "rounds.min_updates", found, "enroll more sites or lower the quorum")
    if 0 < plan.rounds.sites_per_round < plan.rounds.min_updates:
        found = f"{plan.rounds.sites_per_round} with a quorum of {plan.rounds.min_updates}"
        raise InputError(path, "rounds.sites_per_round", found, "ask at least as many sites as the quorum")
    return plan


def _table(kind: type[T], table: object, path: Path | str, name: str) -> T:
    if not isinstance(table, Mapping):
        raise InputError(path, name, _shown(table), f"write a table, [{name}]")
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]  # every kind is a dataclass
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{name}.{key}" if name else key
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"
            raise InputError(path, where, "an unknown field", hint)
        values[key] = _value(hints[key], known[key], value, path, where)
    return kind(**values)


def _value(hint: Any, rule: Field[Any], value: object, path: Path | str, where: str) -> Any:
    if hint is StrategyChoice:
        return _strategy(value, path)
    if is_dataclass(hint) and isinstance(hint, type):
        return _table(hint, value, path, where)
    if hint == tuple[EnrolledSite, ...]:
        if not isinstance(value, list):
            raise InputError(path, where, _shown(value), f"write one [[{where}]] table per site")
        return tuple(_table(EnrolledSite, row, path, where) for row in value)
    return checked(hint, rule.metadata, value, path, where)


def checked(kind: type, rule: Mapping[str, Any], value: object, path: Path | str, where: str) -> Any:
    """One number, word or switch, held against its rule."""
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        wanted = {int: "a whole number", float: "a number", str: "a word in quotes", bool: "true or false"}
        raise InputError(path, where, _shown(value), f"give {wanted[kind]}")
    if isinstance(value, str):
        if rule.get("choices") and value not in rule["choices"]:
            raise InputError(path, where, _shown(value), f"choose one of: {', '.join(rule['choices'])}")
        if rule.get("pattern") and not re.fullmatch(rule["pattern"], value):
            raise InputError(path, where, _shown(value), "use lower-case letters, digits and hyphens")
    elif not isinstance(value, bool) and isinstance(value, (int, float)):
        least, most = rule.get("least", float("-inf")), rule.get("most", float("inf"))
        if not least <= value <= most:  # NaN fails too
            raise InputError(path, where, _shown(value), f"give a number from {least:g} to {most:g}")
    return value


def _strategy(value: object, path: Path | str) -> StrategyChoice:
    if not isinstance(value, Mapping):
        raise InputError(path, "strategy", _shown(value), "write a table, [strategy], with a name")
    from cryofed.federation.strategies.registry import make_strategy

    parameters = {key: number for key, number in value.items() if key != "name"}
    name = checked(str, {}, value.get("name", "fedavg"), path, "strategy.name")
    make_strategy(name, parameters, str(path))  # only to check
    return StrategyChoice(name=name, parameters=parameters)


def commented_plan(plan: Plan) -> str:
    """The plan as TOML, every field with what it means."""
    lines = [
        "# The agreement of one federation. Every field is checked when it is read; an unknown one is an",
        "# error. `cryofed federation run PLAN.toml` runs it; its hash is in every report and release.",
        "",
    ]
    for rule in fields(plan):
        value = getattr(plan, rule.name)
        if not is_dataclass(value) and rule.name != "sites":
            lines.append(_line(rule, value))
    for rule in fields(plan):
        value = getattr(plan, rule.name)
        if isinstance(value, StrategyChoice):
            lines += ["", "[strategy]", f"name = {_toml(value.name)}"]
            lines += [f"{key} = {_toml(number)}" for key, number in value.parameters.items()]
        elif is_dataclass(value):
            lines += ["", f"[{rule.name}]"]
            lines += [_line(inner, getattr(value, inner.name)) for inner in fields(value)]
    for site in plan.sites:
        lines += ["", "[[sites]]", *(_line(inner, getattr(site, inner.name)) for inner in fields(site))]
    return "\n".join(lines) + "\n"


def _line(rule: Field[Any], value: object) -> str:
    choices = rule.metadata.get("choices")
    tail = f" ({', '.join(choices)})" if choices else ""
    return f"{rule.name} = {_toml(value)}  # {rule.metadata['help']}{tail}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
