"""The aggregator's process, where it is ours: it serves, and carries out the coordinator's turns."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from cryofed.errors import CryoFedError, FederationError
from cryofed.federation.aggregator.carrier import Carrier
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.plan_file import read_plan
from cryofed.federation.engines.remote.agreeing import PLAN
from cryofed.federation.engines.remote.conduct import conduct
from cryofed.federation.engines.remote.homes import Home
from cryofed.federation.engines.remote.notes import Note, Wanted, read_note, read_wanted, write_note

LOOK_S = 0.1  # how often the coordinator's wish is looked at


class TurnEndError(FederationError):
    """This turn stops between two rounds; the campaign goes on in the next one."""


@dataclass(frozen=True, slots=True)
class Serving:
    """An engine's server while it is open."""

    alive: Callable[[], bool]
    # Given the plan, the plan as TOML for the sites, and what the carrier calls often while it waits, for it
    # raises where this turn must end.
    carrier: Callable[[Plan, str, Callable[[], None]], AbstractContextManager[Carrier]]


def serve(kit: Path, opened: Callable[[Home], AbstractContextManager[Serving]]) -> int:
    """Serve until told to stop; each wish of the coordinator's is carried out once.

    Args:
        kit: the aggregator's, in the engine's folder of the federation.
        opened: the engine's server, open inside the `with`.

    Returns:
        The exit status.
    """
    home, stop = Home(kit.parent), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    try:
        with opened(home) as serving:
            say("serves")
            while not stop.is_set() and serving.alive():
                wanted = read_wanted(home.folder)
                if wanted is not None and _is_open(home.folder, wanted):
                    write_note(home.folder, _carried_out(home, serving, wanted, stop))
                stop.wait(LOOK_S)
    except CryoFedError as error:
        say(f"error: {error}")
        return 1
    return 0


def say(words: str) -> None:
    """A line of the kit's console."""
    print(time.strftime("%Y-%m-%d %H:%M:%S"), words, flush=True)


def _carried_out(home: Home, serving: Serving, wanted: Wanted, stop: threading.Event) -> Note:
    """One turn, to its end; how it ended."""

    def check() -> None:
        if stop.is_set() or read_wanted(home.folder) != wanted:
            raise TurnEndError("gave way")

    write_note(home.folder, Note(wanted.turn, "runs"))
    trial = Path(wanted.trial).name
    try:
        plan = read_plan((home.folder / trial if trial else home.folder) / PLAN)
        carry = serving.carrier
        conduct(home.folder.parent, home.folder, trial, lambda text: carry(plan, text, check))
    except TurnEndError as end:
        return Note(wanted.turn, "runs" if stop.is_set() else "ended", str(end))
    except CryoFedError as error:
        return Note(wanted.turn, "failed", str(error))
    except Exception as error:  # our bug: the words stay in the aggregator's own log
        traceback.print_exc()
        return Note(wanted.turn, "failed", f"{type(error).__name__}; see the aggregator's console.log")
    return Note(wanted.turn, "finished")


def _is_open(folder: Path, wanted: Wanted) -> bool:
    """Whether this turn is still to do: one that an aggregator was killed in is."""
    note = read_note(folder, wanted.turn)
    return note is None or note.state == "runs"
