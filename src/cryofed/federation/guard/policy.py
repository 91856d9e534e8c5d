"""The site's policy file: what leaves is the site's decision, written down where its owner can read it."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cryofed.errors import InputError
from cryofed.federation.guard.rules import GuardRules


def read_policy(path: Path) -> GuardRules:
    """The `[guard]` table of a policy file; other tables are others' business.

    Raises:
        InputError: names the file, the field, what was found, and the remedy. A policy that cannot be
            read stops the site: it never falls back to sending more.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, "policy", error.strerror or "unreadable", "give a readable file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, "TOML", str(error), "correct this line") from None
    table = document.get("guard", {})
    if not isinstance(table, dict):
        raise InputError(path, "guard", repr(table)[:60], "write a table, [guard]")
    return rules_of(table, path)


def rules_of(table: dict[str, Any], path: Path | str = "policy") -> GuardRules:
    """The rules in a parsed `[guard]` table."""
    known = {f.name: f for f in fields(GuardRules)}
    chosen: dict[str, Any] = {}
    for name, found in table.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            remedy = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"
            raise InputError(path, f"guard.{name}", "an unknown field", remedy)
        kind = type(known[name].default)
        value: Any = float(found) if kind is float and type(found) is int else found
        if type(value) is not kind:
            raise InputError(
                path, f"guard.{name}", repr(found)[:60], f"write it like {known[name].default!r}"
            )
        rule = known[name].metadata
        if "choices" in rule and value not in rule["choices"]:
            raise InputError(path, f"guard.{name}", repr(value)[:60], f"choose: {', '.join(rule['choices'])}")
        if "least" in rule and not rule["least"] <= value <= rule["most"]:
            remedy = f"give a number from {rule['least']:g} to {rule['most']:g}"
            raise InputError(path, f"guard.{name}", repr(value), remedy)
        chosen[name] = value
    return GuardRules(**chosen)


def commented_policy(rules: GuardRules) -> str:
    """The rules as TOML, every field with what it means."""
    lines = [
        "# What may leave this site. A plan can ask for more protection than this, never for less.",
        "",
        "[guard]",
    ]
    for rule in fields(rules):
        value = getattr(rules, rule.name)
        text = (
            str(value).lower()
            if isinstance(value, bool)
            else f'"{value}"'
            if isinstance(value, str)
            else repr(value)
        )
        choices = rule.metadata.get("choices")
        tail = f" ({', '.join(choices)})" if choices else ""
        lines.append(f"{rule.name} = {text}  # {rule.metadata['help']}{tail}")
    return "\n".join(lines) + "\n"
