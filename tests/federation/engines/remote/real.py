"""A federation of real processes over mutual TLS, of any engine: one aggregator and three toy sites."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tests.contract import toy
from tests.contract.toy_learner import set_toys

from cryofed.disk.arrays import read_arrays
from cryofed.disk.lines import read_lines
from cryofed.federation.agreement.engines import engine_names
from cryofed.federation.agreement.plan import NetworkRules, Plan
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.engines.deployment import deployment_of
from cryofed.federation.engines.remote import processes
from cryofed.federation.engines.remote.conduct import write_trial
from cryofed.federation.engines.remote.connection import free_port
from cryofed.federation.engines.remote.engine import RemoteEngine
from cryofed.federation.engines.remote.here import join_here
from cryofed.federation.engines.remote.homes import SiteHome

ROOT = Path(__file__).parents[4]
NAMES = ("alpha", "beta", "gamma")
HONEST = dict.fromkeys(NAMES, "honest")
# Every engine of real machines, installed or not.
REMOTE = [name for name in engine_names() if isinstance(deployment_of(name), RemoteEngine)]


@contextmanager
def toy_learners() -> Iterator[None]:
    """Processes that are started from here on answer as toys."""
    kept = {name: os.environ.get(name) for name in ("CRYOFED_LEARNER", "PYTHONPATH", "OMP_NUM_THREADS")}
    paths = [str(ROOT / "src"), str(ROOT), *filter(None, [kept["PYTHONPATH"]])]
    os.environ |= {
        "CRYOFED_LEARNER": "tests.contract.toy_learner",
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": "1",
    }
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Federation:
    """Owns the processes."""

    def __init__(self, engine: str, folder: Path) -> None:
        self.folder, self.federation = folder, folder / "toys"
        self.plan = replace(toy.plan(NAMES), engine=engine, network=NetworkRules(port=free_port()))
        found = deployment_of(engine)
        assert isinstance(found, RemoteEngine)
        self.engine, self.machines = found, found.machines
        self.home = self.machines.home(self.federation)
        self.sites = {name: SiteHome(folder / "sites" / name) for name in NAMES}
        library = folder / "library.db"
        library.touch()  # toys have none
        self.machines.found(self.plan, self.federation)
        for name, site in self.sites.items():
            join_here(self.machines, self.plan, self.federation, site, name=name, library=library)
        set_toys(folder / "sites", HONEST)
        with toy_learners():
            self.machines.start(self.plan, self.federation)
            self.machines.start_sites(list(self.sites.values()))

    def trial(
        self,
        name: str,
        tick: Callable[[], None] = lambda: None,
        behaviours: dict[str, str] = HONEST,
        seconds: float = 0.0,
        **rounds: float,
    ) -> tuple[np.ndarray, list[dict[str, Any]]]:
        """Run, or resume, a few toy rounds on the running federation; the vector and the reports."""
        plan = self.prepare(name, behaviours, seconds, **rounds)
        with toy_learners():
            self.engine.drive(plan, self.federation, tick, name)
        vector = read_arrays(self.home.folder / name / "checkpoint.safetensors")[0]["vector"]
        return vector, self.reports(name)

    def prepare(self, name: str, behaviours: dict[str, str], seconds: float, **rounds: float) -> Plan:
        """Write the trial; a site is given so long that a busy machine makes nobody late."""
        set_toys(self.folder / "sites", behaviours, seconds)
        rules = {"min_updates": 3, "deadline_s": 120.0, "grace_s": 60.0, **rounds}
        plan = replace(toy.plan(NAMES, **rules), engine=self.engine.name, network=self.plan.network)
        write_trial(self.home.folder / name, commented_plan(plan), toy.LAYOUT, toy.START)
        return plan

    def reports(self, name: str) -> list[dict[str, Any]]:
        path = self.home.folder / name / "rounds.jsonl"
        return read_lines(path) if path.exists() else []

    def once_after(self, name: str, rounds: int, action: Callable[[], None]) -> Callable[[], None]:
        """A tick that does `action` once, in a thread, when so many rounds of the trial are done."""
        done: list[bool] = []

        def tick() -> None:
            if not done and len(self.reports(name)) >= rounds:
                done.append(True)
                threading.Thread(target=action, daemon=True).start()

        return tick

    def start_site(self, name: str) -> None:
        with toy_learners():
            self.machines.start_site(self.sites[name].folder)

    def kill_site(self, name: str) -> None:
        kill(processes.running(self.sites[name].kit))

    def kill_aggregator(self) -> None:
        kill(processes.running(self.home.aggregator))

    def close(self) -> None:
        processes.stop([self.home.aggregator, *(site.kit for site in self.sites.values())])

    def left(self) -> list[list[str]]:
        """Command lines, of other processes than this one, in which the folder stands."""
        found = list[list[str]]()
        for process in psutil.process_iter(["pid", "cmdline"]):
            words = process.info["cmdline"] or []
            if process.info["pid"] != os.getpid() and any(str(self.folder) in word for word in words):
                found.append(words)
        return found


def kill(victims: list[psutil.Process]) -> None:
    for process in victims:
        process.kill()
    psutil.wait_procs(victims, timeout=10)
