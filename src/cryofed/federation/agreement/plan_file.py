"""Read a plan from TOML, and write a commented one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from cryofed.errors import InputError
from cryofed.federation.agreement.attesting import ATTESTATION, attestation_of, tables_of
from cryofed.federation.agreement.engines import engine_names, load_engine
from cryofed.federation.agreement.plan import Plan, StrategyChoice
from cryofed.schema.reading import checked, noun_of, read_toml, shown, unknown
from cryofed.schema.writing import lines_of, table_of, toml


def read_plan(path: Path) -> Plan:
    """The plan in this file; every field is checked, an unknown one is an error.

    Raises:
        InputError: names the file, the field, what was found, and the remedy.
    """
    return plan_of(read_toml(path, "plan", "write one with: cryofed federation new PLAN.toml"), path)


def plan_of(document: Mapping[str, Any], path: Path | str = "plan") -> Plan:
    """The plan in a TOML document that was already parsed."""
    engines = engine_names()
    known = [rule.name for rule in fields(Plan) if not rule.metadata.get("inner")]
    for key in document:
        if key not in known and key not in engines and key != ATTESTATION:
            raise unknown(path, key, key, [*known, ATTESTATION, *engines])
    agreed = {key: value for key, value in document.items() if key in known}
    plan = noun_of(Plan, agreed, path, readers={StrategyChoice: _strategy})
    tables = {name: _table(name, document[name], path) for name in engines if name in document}
    plan = replace(plan, tables={name: table for name, table in tables.items() if table != type(table)()})
    _check_sites(plan, path)
    load_engine(plan.engine, path).check(plan, path)
    if ATTESTATION in document or plan.attested:
        plan = replace(plan, attestation=attestation_of(plan, document.get(ATTESTATION, {}), path))
    if plan.masked:
        from cryofed.federation.agreement.masking import check_masked

        check_masked(plan, path)
    elif plan.guard.mask != "none":
        raise InputError(path, "guard.mask", plan.guard.mask, 'write profile = "masked" at the plan\'s head')
    return plan


def _table(engine: str, table: object, path: Path | str) -> object:
    kind = load_engine(engine, path).table
    if kind is None:
        raise InputError(path, engine, "a table", f"remove it: engine {engine} has none")
    return noun_of(kind, table, path, engine)


def _check_sites(plan: Plan, path: Path | str) -> None:
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
    names = ", ".join(engine_names())
    lines = [
        "# The agreement of one federation. Every field is checked when it is read; an unknown one is an",
        "# error. `cryofed federation run PLAN.toml` runs it; its hash is in every report and release.",
        "",
        *(f"{one} ({names})" if one.startswith("engine = ") else one for one in lines_of(plan)),
    ]
    for rule in fields(plan):
        value = getattr(plan, rule.name)
        if isinstance(value, StrategyChoice):
            lines += ["", "[strategy]", f"name = {toml(value.name)}"]
            lines += [f"{key} = {toml(number)}" for key, number in value.parameters.items()]
        elif is_dataclass(value):
            lines += table_of(rule.name, value)
    for name, part in tables_of(plan).items():
        lines += ["", f"[{name}]", *(f"{key} = {toml(value)}" for key, value in part.items())]
    for name, table in (_own_table(plan) | dict(plan.tables)).items():
        lines += table_of(name, table)
    for site in plan.sites:
        lines += ["", "[[sites]]", *lines_of(site)]
    return "\n".join(lines) + "\n"


def _own_table(plan: Plan) -> dict[str, Any]:
    """The table of the plan's engine, so that a new plan shows what it may say."""
    kind = load_engine(plan.engine).table
    return {} if kind is None else {plan.engine: plan.table(kind)}
