"""One campaign on Flower, seen from the coordinator: the same result as from every other engine."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from cryofed.disk.lock import sole_run
from cryofed.disk.whole import write_whole
from cryofed.errors import FederationError
from cryofed.federation.aggregator.campaign import Campaign, next_campaign
from cryofed.federation.aggregator.hooks import Hook
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.flower.machines import FlowerMachines
from cryofed.federation.engines.flower.notes import Wanted, read_note, want
from cryofed.federation.engines.remote import processes
from cryofed.federation.engines.remote.agreeing import prepare
from cryofed.federation.engines.remote.conduct import CAMPAIGN
from cryofed.federation.engines.remote.following import Relay, ended

POLL_S = 0.1  # how often files are looked at
FRUITLESS = 3  # aggregators in a row that die without a new round


def run_on_flower(plan: Plan, home: Path, hooks: Sequence[Hook] = ()) -> Campaign:
    """Run the next campaign, or go on with the one that was stopped."""
    own = FlowerMachines().home(home)
    FlowerMachines().check_founded(own)
    number, folder = next_campaign(home)
    with sole_run(own.folder):
        prepare(plan, own)
        write_whole(own.folder / CAMPAIGN, str(number).encode())
        drive(plan, home, Relay(folder / "events.jsonl", hooks).tick)
    return ended(home, number, folder, hooks)


def drive(plan: Plan, home: Path, tick: Callable[[], None] = lambda: None, trial: str = "") -> None:
    """Have the aggregator's process carry out one turn, and start it where it does not run, or has died.

    Args:
        plan: of the federation; its port.
        home: the federation's folder.
        tick: called several times a second.
        trial: a folder that `conduct.write_trial` has made; empty for a campaign.

    Raises:
        FederationError: it cannot go on; a later run resumes from the checkpoint.
    """
    machines = FlowerMachines()
    own = machines.home(home)
    turn, mark, deaths = uuid.uuid4().hex, _progress(home, trial), 0
    want(own.folder, Wanted(turn, trial))
    try:
        while True:
            tick()
            note = read_note(own.folder, turn)
            if note is not None and note.state in ("failed", "ended"):
                raise FederationError(note.words)
            if note is not None and note.state == "finished":
                tick()
                return
            if not processes.running(own.aggregator):
                deaths = deaths + 1 if mark == (mark := _progress(home, trial)) else 1
                if deaths > FRUITLESS:
                    log = own.aggregator / processes.CONSOLE
                    raise FederationError(f"the aggregator's process dies again and again; its log is {log}")
                machines.start(plan, home)
            time.sleep(POLL_S)
    finally:
        want(own.folder, None)


def _progress(home: Path, trial: str) -> tuple[tuple[str, int], ...]:
    """Changes with every closed round."""
    folder = FlowerMachines().home(home).folder / trial if trial else home / "campaigns"
    return tuple((str(path), path.stat().st_size) for path in sorted(folder.rglob("rounds.jsonl")))
