"""Read a plan from TOML, and write a commented one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from cryofed.errors import InputError
from cryofed.federation.agreement.plan import Plan, StrategyChoice
from cryofed.schema.reading import checked, noun_of, read_toml, shown
from cryofed.schema.writing import lines_of, table_of, toml


def read_plan(path: Path) -> Plan:
    """The plan in this file; every field is checked, an unknown one is an error.

    Raises:
        InputError: names the file, the field, what was found, and the remedy.
    """
    return plan_of(read_toml(path, "plan", "write one with: cryofed federation new PLAN.toml"), path)


def plan_of(document: Mapping[str, Any], path: Path | str = "plan") -> Plan:
    """The plan in a TOML document that was already parsed."""
    plan = noun_of(Plan, document, path, readers={StrategyChoice: _strategy})
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


def _strategy(value: object, path: Path | str) -> StrategyChoice:
    if not isinstance(value, Mapping):
        raise InputError(path, "strategy", shown(value), "write a table, [strategy], with a name")
    from cryofed.federation.strategies.registry import make_strategy

    parameters = {key: number for key, number in value.items() if key != "name"}
    name = checked(str, {}, value.get("name", "fedavg"), path=path, where="strategy.name")
    make_strategy(name, parameters, str(path))  # only to check
    return StrategyChoice(name=name, parameters=parameters)


def commented_plan(plan: Plan) -> str:
    """The plan as TOML, every field with what it means."""
    lines = [
        "# The agreement of one federation. Every field is checked when it is read; an unknown one is an",
        "# error. `cryofed federation run PLAN.toml` runs it; its hash is in every report and release.",
        "",
        *lines_of(plan),
    ]
    for rule in fields(plan):
        value = getattr(plan, rule.name)
        if isinstance(value, StrategyChoice):
            lines += ["", "[strategy]", f"name = {toml(value.name)}"]
            lines += [f"{key} = {toml(number)}" for key, number in value.parameters.items()]
        elif is_dataclass(value):
            lines += table_of(rule.name, value)
    for site in plan.sites:
        lines += ["", "[[sites]]", *lines_of(site)]
    return "\n".join(lines) + "\n"
