"""The coordinator's side of an aggregator whose process is ours: what shall run, and keep it running."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path

from cryofed.errors import FederationError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.remote import processes
from cryofed.federation.engines.remote.following import progress
from cryofed.federation.engines.remote.machines import RemoteMachines
from cryofed.federation.engines.remote.notes import Wanted, read_note, want

POLL_S = 0.1  # how often files are looked at
FRUITLESS = 3  # aggregators in a row that die without a new round


def drive(
    machines: RemoteMachines,
    plan: Plan,
    home: Path,
    tick: Callable[[], None] = lambda: None,
    trial: str = "",
) -> None:
    """Have the aggregator's process carry out one turn, and start it where it does not run, or has died.

    Args:
        machines: of the engine; its aggregator serves by `serving.serve`.
        plan: of the federation; its port.
        home: the federation's folder.
        tick: called several times a second.
        trial: a folder that `conduct.write_trial` has made; empty for a campaign.

    Raises:
        FederationError: it cannot go on; a later run resumes from the checkpoint.
    """
    own = machines.home(home)
    rounds = own.folder / trial if trial else home / "campaigns"
    turn, mark, deaths = uuid.uuid4().hex, progress(rounds), 0
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
                deaths = deaths + 1 if mark == (mark := progress(rounds)) else 1
                if deaths > FRUITLESS:
                    log = own.aggregator / processes.CONSOLE
                    raise FederationError(f"the aggregator's process dies again and again; its log is {log}")
                machines.start(plan, home)
            time.sleep(POLL_S)
    finally:
        want(own.folder, None)
