"""How an engine is put through the contract: two verbs, filled once per engine.

To plug in an engine, write a class with these two methods and add an instance to `HARNESSES`. It must
carry to sites that answer with `tests.contract.toy.answer` (give your site-side process a class of your
tests that calls it) and let `cryofed.federation.aggregator.rounds.Rounds` decide, in `folder`.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from tests.contract import toy

from cryofed.disk.lines import read_lines
from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.engines.embedded.carrier import embedded
from cryofed.learning.vector import Vector


@dataclass(frozen=True)
class Outcome:
    """How a campaign's rounds ended."""

    vector: Vector
    reports: list[dict[str, Any]]


class Harness(Protocol):
    """One engine under test."""

    name: str
    survives: frozenset[str]  # the faults of `toy.FAULTS` that a site may have here
    kills: bool  # whether `run_killed` is tried: once per aggregator process that differs

    def run(self, plan: Plan, folder: Path, behaviours: dict[str, str]) -> Outcome:
        """Run, or resume, the rounds in `folder` to their end with these toy sites."""
        ...

    def run_killed(self, plan: Plan, folder: Path, behaviours: dict[str, str], event: int) -> None:
        """The same, but kill -9 the aggregator after its `event`-th write to disk (from 1)."""
        ...


class Embedded:
    """The embedded engine, in worker processes or in one."""

    def __init__(self, inline: bool) -> None:
        self.inline = self.kills = inline
        # Its deadline counts from each site's own start: a busy machine makes nobody late.
        self.waiting = {"deadline_s": 8.0}
        # In one process a site that dies or hangs takes the engine with it; the docs say so.
        self.survives = frozenset(toy.FAULTS) - (frozenset({"exits", "hangs", "raises"} if inline else ()))
        self.name = "embedded-inline" if inline else "embedded"

    def run(self, plan: Plan, folder: Path, behaviours: dict[str, str]) -> Outcome:
        sites = toy.toys(behaviours, folder / "sites")
        with (
            open_rounds(folder, plan, toy.LAYOUT, toy.START, patient=True) as rounds,
            embedded(plan, sites, toy.answer, inline=self.inline) as carrier,
        ):
            run_rounds(rounds, carrier)
            return Outcome(rounds.vector, read_lines(folder / "rounds.jsonl"))

    def run_killed(self, plan: Plan, folder: Path, behaviours: dict[str, str], event: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plan.toml").write_text(commented_plan(plan))
        root = Path(__file__).parents[2]
        words = [f"{name}={what}" for name, what in behaviours.items()]
        command = [sys.executable, "-m", "tests.contract.killed", str(folder), str(event), *words]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == -9, done.stderr


HARNESSES: list[Harness] = [Embedded(inline=True), Embedded(inline=False)]


def flare_harnesses() -> list[Harness]:
    """FLARE's, where it is installed."""
    if find_spec("nvflare") is None:
        return []
    from tests.contract.flare_harness import FlareInProcess

    return [FlareInProcess()]
