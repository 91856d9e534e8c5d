"""What FLARE adds to a round: sites that answer at once, over mutual TLS on this machine.

Beside it the embedded engine, and stock FLARE's FedAvg recipe in FLARE's own simulator (no TLS, one host),
on the same vector. Every figure is printed with the load of the machine, for these are wall times.
"""

from __future__ import annotations

import os
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.federations.echo import site_echo
from cryofed.disk.lines import read_lines
from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.plan import AdmissionRules, EnrolledSite, NetworkRules, Plan, RoundRules
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.engines.embedded.carrier import embedded
from cryofed.federation.site.answering import Site
from cryofed.learning.vector import Layout

SMALL = 400_000  # numbers: about the network that CryoFed ships
LARGE = 25_000_000  # 100 MB
ROOT = Path(__file__).parents[1]
HERE = f"{ROOT}{os.pathsep}{ROOT / 'src'}"  # what is measured is this tree, whatever is installed


def main() -> None:
    """Everything, smallest first."""
    learner = "benchmarks.federations.echo"
    os.environ |= {"CRYOFED_LEARNER": learner, "PYTHONPATH": HERE, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = embedded_round(folder / "embedded", SMALL)
        say("embedded, one round, 0.4 M numbers, 3 sites", own, "s")
        with Running(folder / "three", 3) as running:
            seconds = running.rounds("small", SMALL, 12)
            say("FLARE, start of aggregator to end of round 1", running.first, "s")
            say("FLARE, one round, 0.4 M numbers, 3 sites", seconds, "s")
            say("FLARE adds to a round", seconds - own, "s")
            say("FLARE, kill -9 of the aggregator to the end of the next round", running.killed(), "s")
        large_rounds(folder)
        for size, label in ((SMALL, "0.4 M"), (LARGE, "25 M")):
            seconds = stock_round(folder / "stock", size)
            say(
                f"stock FedAvg recipe in FLARE's simulator, one round, {label} numbers, 3 sites", seconds, "s"
            )


def large_rounds(folder: Path) -> None:
    """Time and memory of a round of 100 MB each way, by sites; and of a small one, for what sites take."""
    for sites in (1, 3, 6, 9):
        with Running(folder / f"large-{sites}", sites) as running:
            what = f"FLARE, memory that the aggregator's segment holds at most, {sites} sites"
            running.rounds("small", SMALL, 4)
            say(f"{what}, 0.4 M numbers", running.peak, "MiB")
            seconds = running.rounds("large", LARGE, 4)
            say(f"{what}, 25 M numbers", running.peak, "MiB")
            say(f"FLARE, one round, 25 M numbers, {sites} sites", seconds, "s")


def say(what: str, value: float, unit: str) -> None:
    """One line, with the load it was taken under."""
    print(f"{what}: {value:.2f} {unit} (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)", flush=True)


def plan_of(sites: int, rounds: int, port: int) -> Plan:
    """Quorum of all, so that no round is short."""
    return Plan(
        name="bench",
        engine="flare",
        network=NetworkRules(port=port),
        rounds=RoundRules(count=rounds, min_updates=sites, deadline_s=300, grace_s=5),
        admission=AdmissionRules(max_norm=1e9),
        sites=tuple(EnrolledSite(name=f"site-{number}") for number in range(1, sites + 1)),
    )


def embedded_round(folder: Path, size: int) -> float:
    """Median seconds of a round in worker processes."""
    plan = plan_of(3, 12, 8102)
    sites = {name: Site(name=name, source=None) for name in plan.site_names}  # type: ignore[arg-type]
    layout, start = Layout(("w",), ((size,),)), np.zeros(size, np.float32)
    with (
        open_rounds(folder, plan, layout, start) as rounds,
        embedded(plan, sites, site_echo) as carrier,
    ):
        run_rounds(rounds, carrier)
    return median_round(folder)


def median_round(folder: Path) -> float:
    """Median over all rounds but the first."""
    return statistics.median(report["seconds"] for report in read_lines(folder / "rounds.jsonl")[1:])


class Running:
    """Owns a provisioned federation of echoing sites."""

    def __init__(self, home: Path, sites: int) -> None:
        from cryofed.federation.engines.flare.machines import FlareMachines
        from cryofed.federation.engines.remote.here import federation_here, join_here, with_free_port
        from cryofed.federation.engines.remote.homes import SiteHome

        self.plan, self.home, machines = with_free_port(plan_of(sites, 1, 8102)), home, FlareMachines()
        self.flare = machines.home(home)
        library = home.with_suffix(".db")
        library.touch()
        machines.found(self.plan, home)
        for name in self.plan.site_names:
            join_here(machines, self.plan, home, SiteHome(home / "sites" / name), name=name, library=library)
        self.begun = time.monotonic()  # certificates are made once; what is timed is starting
        self.first = self.peak = 0.0
        libraries = dict.fromkeys(self.plan.site_names, library)
        self._federation = federation_here(machines, self.plan, libraries, home)

    def __enter__(self) -> Running:
        self._federation.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._federation.__exit__(None, None, None)

    def rounds(self, name: str, size: int, count: int, tick: Callable[[], None] = lambda: None) -> float:
        """Median seconds of a round; notes when the first one ended, and how much memory the segment held."""
        from cryofed.federation.engines.flare.coordinator.running import supervisor
        from cryofed.federation.engines.remote.conduct import write_trial

        plan = replace(self.plan, rounds=replace(self.plan.rounds, count=count))
        folder = self.flare.folder / name
        self.peak = 0.0
        write_trial(folder, commented_plan(plan), Layout(("w",), ((size,),)), np.zeros(size, np.float32))

        def look() -> None:
            if not self.first and read_lines(folder / "rounds.jsonl"):
                self.first = time.monotonic() - self.begun
            self.peak = max(self.peak, segment_memory(self.flare.aggregator))
            tick()

        supervisor(plan, self.home, name).run(look)
        return median_round(folder)

    def killed(self) -> float:
        """Seconds from signal 9 to the aggregator until a round is done again."""
        from cryofed.federation.engines.remote.processes import running

        report = self.flare.folder / "killed" / "rounds.jsonl"
        told: dict[str, float] = {}

        def strike() -> None:
            for process in running(self.flare.aggregator):
                process.kill()

        def tick() -> None:
            done = len(read_lines(report))
            if done >= 3 and "killed" not in told:
                told["killed"], told["rounds"] = time.monotonic(), done
                threading.Thread(target=strike).start()
            elif "killed" in told and "back" not in told and done > told["rounds"] + 1:
                told["back"] = time.monotonic()

        # Long enough that some rounds are left whatever the machine does meanwhile.
        self.rounds("killed", SMALL, 40, tick)
        return told["back"] - told["killed"]


def segment_memory(kit: Path) -> float:
    """Memory that the aggregator's segment holds now, in MiB; pages of files, which it can drop, left out."""
    from cryofed.federation.engines.remote.processes import running

    held = [0.0]
    for process in running(kit):
        status = Path(f"/proc/{process.pid}/status")
        if "runner_process" in str(process.info["cmdline"]) and status.exists():
            found = re.search(r"RssAnon:\s+(\d+) kB", status.read_text())
            held.append(int(found[1]) / 1024 if found else 0.0)
    return max(held)


def stock_round(folder: Path, size: int) -> float:
    """Median seconds between rounds of FLARE's own FedAvg, in its simulator, as its recipe sets it up."""
    import contextlib
    import io

    from nvflare.app_common.np.recipes.fedavg import NumpyFedAvgRecipe
    from nvflare.recipe import SimEnv

    start = folder / f"{size}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(start, np.zeros(size, np.float32))
    script = str(Path(__file__).parent / "federations" / "stock_site.py")
    recipe = NumpyFedAvgRecipe(
        name="stock", initial_ckpt=str(start), min_clients=3, num_rounds=5, train_script=script
    )
    work = folder / f"work-{size}"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        recipe.execute(SimEnv(num_clients=3, workspace_root=str(work)))
    times: list[float] = []
    for log in work.rglob("log.txt"):
        if "server" in str(log):
            times += [_time(line) for line in log.read_text().splitlines() if _ROUND.search(line)]
    gaps = [after - before for before, after in pairwise(sorted(times))]
    return statistics.median(gaps) if gaps else float("nan")


_ROUND = re.compile(r"^\d{4}-\d\d-\d\d .*Saved numpy model to")  # once at the end of each round


def _time(line: str) -> float:
    """Seconds of the epoch at which FLARE logged this line: `2026-11-23 15:02:26,695 - …`."""
    return time.mktime(time.strptime(line[:19], "%Y-%m-%d %H:%M:%S")) + int(line[20:23]) / 1000
