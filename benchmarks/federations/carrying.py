"""What one engine costs, in an environment that has it: python -m … ENGINE PART FILE.

Every figure is a line of FILE as soon as it is known: `{what, sites, numbers, value}`. Sites answer at once.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from benchmarks.federations.echo import site_echo
from benchmarks.federations.relay import Relay
from cryofed.disk.lines import read_lines
from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.plan import AdmissionRules, EnrolledSite, NetworkRules, Plan, RoundRules
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.engines.deployment import deployment_of
from cryofed.federation.engines.embedded.carrier import embedded
from cryofed.federation.engines.remote.conduct import write_trial
from cryofed.federation.engines.remote.engine import RemoteEngine
from cryofed.federation.engines.remote.here import federation_here, join_here, with_free_port
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.federation.engines.remote.processes import running
from cryofed.federation.site.answering import Site
from cryofed.learning.vector import Layout

SMALL = 400_000  # numbers: about the network that CryoFed ships
LARGE = 25_000_000  # 100 MB
LEARNER = "benchmarks.federations.echo"
ROOT = Path(__file__).parents[2]
ORDER = ((SMALL, 3), (LARGE, 3), (LARGE, 1), (LARGE, 6), (LARGE, 9))
BYTES = "bytes"  # the part that counts them
PARTS = (*(f"{numbers}-{sites}" for numbers, sites in ORDER), BYTES)

Tell = Callable[[str, int, int, float], None]


def main(engine: str, part: str, file: Path) -> None:
    """One of `PARTS`."""
    paths = os.pathsep.join(
        [str(ROOT), str(ROOT / "src")]
    )  # what is measured is this tree, whatever is installed
    os.environ |= {"CRYOFED_LEARNER": LEARNER, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}

    def tell(what: str, sites: int, numbers: int, value: float) -> None:
        with file.open("a") as lines:
            lines.write(json.dumps({"what": what, "sites": sites, "numbers": numbers, "value": value}) + "\n")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "home"
        if part == BYTES:
            if engine != "embedded":
                with Running(engine, folder, 3, counted=True) as one:
                    tell("bytes", 3, SMALL, one.bytes_of_a_round())
            return
        numbers, sites = map(int, part.split("-"))
        measured(engine, folder, numbers, sites, tell)


def measured(engine: str, folder: Path, numbers: int, sites: int, tell: Tell) -> None:
    """Rounds of so many sites with a vector of so many numbers."""
    count = 12 if numbers == SMALL else 4 if sites <= 3 else 3
    if engine == "embedded":
        with Peak(lambda: [psutil.Process()]) as peak:
            tell("seconds", sites, numbers, embedded_round(folder, sites, numbers, count))
        tell("aggregator", sites, numbers, peak.mib)
        return
    with Running(engine, folder, sites) as one:
        tell("seconds", sites, numbers, one.rounds("timed", numbers, count))
        tell("cpu", sites, numbers, one.cpu)
        tell("aggregator", sites, numbers, one.aggregator.mib)
        tell("site", sites, numbers, one.site.mib)
        if numbers == SMALL:
            tell("first", sites, numbers, one.first)
            tell("killed", sites, numbers, one.killed())


def plan_of(engine: str, sites: int, rounds: int) -> Plan:
    """Quorum of all, so that no round is short."""
    return Plan(
        name="bench",
        engine=engine,
        network=NetworkRules(port=8102),
        rounds=RoundRules(count=rounds, min_updates=sites, deadline_s=300.0, grace_s=5.0),
        admission=AdmissionRules(max_norm=1e9),
        sites=tuple(EnrolledSite(name=f"site-{number}") for number in range(1, sites + 1)),
    )


def embedded_round(folder: Path, sites: int, numbers: int, count: int) -> float:
    """Median seconds of a round in worker processes."""
    plan = plan_of("embedded", sites, count)
    here = {name: Site(name=name, source=None) for name in plan.site_names}  # type: ignore[arg-type]  # echoes
    layout, start = Layout(("w",), ((numbers,),)), np.zeros(numbers, np.float32)
    with open_rounds(folder, plan, layout, start) as rounds, embedded(plan, here, site_echo) as carrier:
        run_rounds(rounds, carrier)
    return median_round(folder)


def median_round(folder: Path) -> float:
    """Median over all rounds but the first."""
    return statistics.median(report["seconds"] for report in read_lines(folder / "rounds.jsonl")[1:])


class Peak:
    """The most memory that some processes held at once; pages of files, which they can drop, left out."""

    def __init__(self, processes: Callable[[], list[psutil.Process]]) -> None:
        self.mib, self._processes, self._done = 0.0, processes, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        looked, found = 0.0, list[psutil.Process]()
        while not self._done.wait(0.05):
            if time.monotonic() - looked > 1:
                looked, found = time.monotonic(), self._processes()
            self.mib = max(self.mib, sum(map(held, found)))


def held(process: psutil.Process) -> float:
    """MiB that are no file's."""
    try:
        text = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0.0
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return sum(int(fields.get(name, "0 kB").split()[0]) for name in ("RssAnon", "RssShmem")) / 1024


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """What these processes have had of a core so far; a busy machine changes it little."""
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


class Running:
    """Owns a founded federation of echoing sites."""

    def __init__(self, engine: str, home: Path, sites: int, *, counted: bool = False) -> None:
        found = deployment_of(engine)
        assert isinstance(found, RemoteEngine)
        self.engine, self.home, machines = found, home, found.machines
        self.plan = with_free_port(plan_of(engine, sites, 1))
        self.own = machines.home(home)
        library = home.with_suffix(".db")
        library.touch()
        machines.found(self.plan, home)
        self.relay = Relay(self.plan.network.port) if counted else None
        if self.relay is not None:  # the sites call the relay
            machines.invite(replace(self.plan, network=NetworkRules(port=self.relay.port)), home)
        self.sites = {name: SiteHome(home / "sites" / name) for name in self.plan.site_names}
        for name, site in self.sites.items():
            join_here(machines, self.plan, home, site, name=name, library=library)
        self.begun = time.monotonic()  # certificates are made once; what is timed is starting
        self.first = self.cpu = 0.0
        libraries = dict.fromkeys(self.plan.site_names, library)
        self._federation = federation_here(machines, self.plan, libraries, home)

    def __enter__(self) -> Running:
        self._federation.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._federation.__exit__(None, None, None)
        if self.relay is not None:
            self.relay.close()

    def rounds(self, name: str, numbers: int, count: int, tick: Callable[[], None] = lambda: None) -> float:
        """Median seconds of a round; notes when the first one ended, and how much memory was held."""
        plan = replace(self.plan, rounds=replace(self.plan.rounds, count=count))
        folder = self.own.folder / name
        layout, start = Layout(("w",), ((numbers,),)), np.zeros(numbers, np.float32)
        write_trial(folder, commented_plan(plan), layout, start)
        first, seen = next(iter(self.sites.values())), list[tuple[int, float]]()

        def look() -> None:
            done = len(read_lines(folder / "rounds.jsonl")) if (folder / "rounds.jsonl").exists() else 0
            if done and not self.first:
                self.first = time.monotonic() - self.begun
            if done and (not seen or done > seen[-1][0]):
                seen.append((done, cpu_seconds(running(self.own.aggregator))))
            tick()

        with (
            Peak(lambda: running(self.own.aggregator)) as self.aggregator,
            Peak(lambda: [one for one in running(first.kit) if not learns(one)]) as self.site,
        ):
            self.engine.drive(plan, self.home, look, name)
        if len(seen) > 1:
            self.cpu = (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])
        return median_round(folder)

    def killed(self) -> float:
        """Seconds from signal 9 to the aggregator until a round is done again."""
        report = self.own.folder / "killed" / "rounds.jsonl"
        told: dict[str, float] = {}

        def strike() -> None:
            for process in running(self.own.aggregator):
                process.kill()

        def tick() -> None:
            done = len(read_lines(report)) if report.exists() else 0
            if done >= 3 and "killed" not in told:
                told["killed"], told["rounds"] = time.monotonic(), done
                threading.Thread(target=strike).start()
            elif "killed" in told and "back" not in told and done > told["rounds"] + 1:
                told["back"] = time.monotonic()

        # Long enough that some rounds are left whatever the machine does meanwhile.
        self.rounds("killed", SMALL, 40, tick)
        return told["back"] - told["killed"]

    def bytes_of_a_round(self) -> float:
        """Both ways, of one site, in the rounds after the second."""
        assert self.relay is not None
        relay, report, seen = (
            self.relay,
            self.own.folder / "counted" / "rounds.jsonl",
            list[tuple[int, int]](),
        )

        def tick() -> None:
            done = len(read_lines(report)) if report.exists() else 0
            if done >= 2 and (not seen or done > seen[-1][0]):
                seen.append((done, relay.bytes))

        self.rounds("counted", SMALL, 12, tick)
        (one, before), (other, after) = seen[0], seen[-1]
        return (after - before) / (other - one) / len(self.sites)


def learns(process: psutil.Process) -> bool:
    try:
        return LEARNER in process.cmdline()
    except psutil.Error:
        return True


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
