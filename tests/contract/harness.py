"""How an engine is put through the contract.

An engine whose `Deployment.rehearsal` gives a carrier to sites of this machine is found by its entry point
and put through the contract with no file touched here (`Found`). One that cannot, as FLARE, gets a class
with the two methods of `Harness`: it must carry to sites that answer with `tests.contract.toy.answer`, and
let `cryofed.federation.aggregator.rounds.Rounds` decide, in `folder`.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import pytest
from tests.contract import toy

from cryofed.disk.lines import read_lines
from cryofed.errors import MissingPackageError
from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.engines import engine_names
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.engines.deployment import deployment_of
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


class Found:
    """Any engine that is found by entry point and gives a carrier to sites of this machine."""

    kills = False  # the aggregator's process is that of `Embedded`
    survives = frozenset(toy.FAULTS)

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, plan: Plan, folder: Path, behaviours: dict[str, str]) -> Outcome:
        sites = toy.toys(behaviours, folder / "sites")
        try:
            carrying = deployment_of(self.name).rehearsal(plan, sites, toy.answer, folder / self.name)
        except MissingPackageError as error:
            pytest.skip(str(error))
        assert carrying is not None
        with open_rounds(folder, plan, toy.LAYOUT, toy.START) as rounds, carrying as carrier:
            run_rounds(rounds, carrier)
            return Outcome(rounds.vector, read_lines(folder / "rounds.jsonl"))

    def run_killed(self, plan: Plan, folder: Path, behaviours: dict[str, str], event: int) -> None:
        """Not here."""
        raise NotImplementedError


HARNESSES: list[Harness] = [Embedded(inline=True), Embedded(inline=False)]


def found_harnesses() -> list[Harness]:
    """Engines beside those with a harness of their own: each folder of `tests/engines` is one."""
    for folder in sorted((Path(__file__).parents[1] / "engines").iterdir()):
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.append(str(folder))
    return [Found(name) for name in engine_names() if name not in ("embedded", "flare")]


def flare_harnesses() -> list[Harness]:
    """FLARE's, where it is installed."""
    if find_spec("nvflare") is None:
        return []
    from tests.contract.flare_harness import FlareInProcess

    return [FlareInProcess()]
