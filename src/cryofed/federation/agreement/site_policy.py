"""The site's policy file: what leaves is the site's decision, written down where its owner can read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryofed.federation.agreement.rules import GuardRules
from cryofed.schema.reading import noun_of, read_toml
from cryofed.schema.writing import table_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePolicy:
    """All that a policy file may hold."""

    guard: GuardRules = field(default_factory=GuardRules)


def read_policy(path: Path) -> SitePolicy:
    """The policy in this file; a table or field that is not known is an error.

    Raises:
        InputError: names the file, the field, what was found, and the remedy. A policy that cannot be
            read stops the site: it never falls back to sending more.
    """
    return noun_of(SitePolicy, read_toml(path, "policy", "write one with: cryofed site policy write"), path)


def commented_policy(policy: SitePolicy) -> str:
    """The policy as TOML, every field with what it means."""
    lines = [
        "# What may leave this site. A plan can ask for more protection than this, never for less.",
        "# A misspelt table or field stops the site; `cryofed site policy check` finds it.",
        *table_of("guard", policy.guard),
    ]
    return "\n".join(lines) + "\n"
