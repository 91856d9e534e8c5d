"""A federation of real processes over mutual TLS: one aggregator and four toy sites, shared by all tests."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tests.contract import toy
from tests.contract.flare_harness import learner_of
from tests.contract.toy_learner import set_toys

from cryofed.disk.arrays import read_arrays
from cryofed.disk.lines import read_lines
from cryofed.disk.lock import sole_run
from cryofed.errors import FederationError
from cryofed.federation.agreement.plan import NetworkRules
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.engines.flare.coordinator.desk import FlareDesk
from cryofed.federation.engines.flare.coordinator.running import supervisor
from cryofed.federation.engines.flare.machines import FlareMachines, coordinator_name
from cryofed.federation.engines.remote import processes
from cryofed.federation.engines.remote.conduct import write_trial
from cryofed.federation.engines.remote.connection import free_port
from cryofed.federation.engines.remote.here import join_here
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.federation.engines.remote.supervisor import Supervisor

NAMES = ("alpha", "beta", "delta", "gamma")
HONEST = dict.fromkeys(NAMES, "honest")


@dataclass
class Trial:
    """One campaign of toy rounds on the running federation."""

    supervisor: Supervisor
    folder: Path

    @property
    def reports(self) -> list[dict[str, Any]]:
        return read_lines(self.folder / "rounds.jsonl")

    @property
    def vector(self) -> np.ndarray:
        return read_arrays(self.folder / "checkpoint.safetensors")[0]["vector"]

    def run(self, tick: Callable[[], None] = lambda: None) -> None:
        with sole_run(self.folder.parent):
            self.supervisor.run(tick)


class Federation:
    """Owns the processes."""

    def __init__(self, folder: Path) -> None:
        self.plan = replace(toy.plan(NAMES), engine="flare", network=NetworkRules(port=free_port()))
        self.machines, self.federation = FlareMachines(), folder / "toys"
        self.home = self.machines.home(self.federation)
        self.sites = {name: SiteHome(folder / "sites" / name) for name in NAMES}
        library = folder / "library.db"
        library.touch()  # toys have none
        self.machines.found(self.plan, self.federation)
        for name, site in self.sites.items():
            join_here(self.machines, self.plan, self.federation, site, name=name, library=library)
        set_toys(folder / "sites", HONEST)
        with learner_of("tests.contract.toy_learner"):
            self.machines.start(self.plan, self.federation)
            self.machines.start_sites(list(self.sites.values()))

    def trial(
        self,
        name: str,
        behaviours: dict[str, str] = HONEST,
        seconds: float = 0.0,
        wait_s: float = 60.0,
        **rounds: float,
    ) -> Trial:
        """Prepare rounds; nothing runs yet. `wait_s`: how long `run` waits for the quorum."""
        set_toys(self.sites["alpha"].folder.parent, behaviours, seconds)
        plan = replace(toy.plan(NAMES, **rounds), network=self.plan.network)
        folder = self.home.folder / name
        write_trial(folder, commented_plan(plan), toy.LAYOUT, toy.START)
        with learner_of("tests.contract.toy_learner"):
            return Trial(supervisor(plan, self.federation, name, wait_s=wait_s), folder)

    def start_site(self, name: str) -> None:
        with learner_of("tests.contract.toy_learner"):
            self.machines.start_site(self.sites[name].folder)

    def start_aggregator(self) -> None:
        self.machines.start(self.plan, self.federation)

    def kill_site(self, name: str) -> None:
        """Signal 9 to every process of the site at once."""
        kill(processes.running(self.sites[name].kit))

    def kill_aggregator(self) -> None:
        kill(processes.running(self.home.aggregator))

    def whole(self) -> None:
        """Start what a test before has killed."""
        if not processes.running(self.home.aggregator):
            self.start_aggregator()
        for name, site in self.sites.items():
            if not processes.running(site.kit):
                self.start_site(name)
        with closing(self.desk()) as desk:
            assert until(lambda: _all_fresh(desk), 120, 0.5), "the sites did not find the aggregator again"

    def desk(self) -> FlareDesk:
        return FlareDesk(self.home.coordinator, self.home.aggregator, coordinator_name(self.plan))

    def stop(self) -> None:
        processes.stop([self.home.aggregator, *(site.kit for site in self.sites.values())])

    def close(self) -> None:
        """Stop; whatever is left of this federation then, under whatever name, is an error."""
        self.stop()
        # A learner notices within a second that its executor is gone.
        assert until(lambda: not self.left(), 15), self.left()

    def left(self) -> list[list[str]]:
        """Command lines of what still runs for this federation."""
        return left(self.home.folder.parents[1])


def left(folder: Path) -> list[list[str]]:
    """Command lines, of other processes than this one, in which the folder stands."""
    found = list[list[str]]()
    for process in psutil.process_iter(["pid", "cmdline"]):
        words = process.info["cmdline"] or []
        if process.info["pid"] != os.getpid() and any(str(folder) in word for word in words):
            found.append(words)
    return found


def _all_fresh(desk: FlareDesk) -> bool:
    try:
        heard = desk.heard_of()
    except FederationError:
        return False
    return all(time.time() - heard.get(name, 0.0) < 10 for name in NAMES)


def kill(victims: list[psutil.Process]) -> None:
    for process in victims:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs(victims, timeout=10)


def once_after(trial: Trial, rounds: int, action: Callable[[], None]) -> Callable[[], None]:
    """A tick that does `action` in a thread of its own when that many rounds are done."""
    done: list[bool] = []

    def tick() -> None:
        if not done and len(trial.reports) >= rounds:
            done.append(True)
            threading.Thread(target=action, daemon=True).start()

    return tick


@contextmanager
def seconds_at_most(limit: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < limit


def until(ready: Callable[[], bool], seconds: float, pause: float = 0.2) -> bool:
    """Whether it became true in time."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True
