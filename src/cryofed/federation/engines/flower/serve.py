"""The aggregator's process, `python -m …flower.serve KIT PORT`: the server, and campaign after campaign."""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
from contextlib import closing
from pathlib import Path

from cryofed.errors import CryoFedError
from cryofed.federation.agreement.plan_file import read_plan
from cryofed.federation.engines.flower.carrier import FlowerCarrier, TurnEndError
from cryofed.federation.engines.flower.link import Link
from cryofed.federation.engines.flower.notes import Note, Wanted, read_note, read_wanted, write_note
from cryofed.federation.engines.remote.agreeing import PLAN
from cryofed.federation.engines.remote.conduct import conduct
from cryofed.federation.engines.remote.homes import TRANSFER, Home

LOOK_S = 0.1  # how often the coordinator's wish is looked at


def main(kit: Path, port: int) -> int:
    """Serve until told to stop; each wish of the coordinator's is carried out once."""
    home, stop = Home(kit.parent), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    link = Link(home.folder / TRANSFER, home.identity, home.registry, home.refusals)
    try:
        link.open("0.0.0.0", port)
        _say("serves")
        while not stop.is_set() and link.serves:
            wanted = read_wanted(home.folder)
            if wanted is not None and _is_open(home.folder, wanted):
                write_note(home.folder, carried_out(home, link, wanted, stop))
            stop.wait(LOOK_S)
    except CryoFedError as error:
        _say(f"error: {error}")
        return 1
    finally:
        link.close()
    return 0


def carried_out(home: Home, link: Link, wanted: Wanted, stop: threading.Event) -> Note:
    """One turn, to its end; how it ended."""

    def check() -> None:
        if stop.is_set() or read_wanted(home.folder) != wanted:
            raise TurnEndError("gave way")

    write_note(home.folder, Note(wanted.turn, "runs"))
    trial = Path(wanted.trial).name
    plan = read_plan((home.folder / trial if trial else home.folder) / PLAN)
    quorum = min(plan.rounds.min_updates, len(plan.site_names))
    try:
        conduct(
            home.folder.parent,
            home.folder,
            trial,
            lambda text: closing(FlowerCarrier(link, text, quorum, plan.site_names, check=check)),
        )
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


def _say(words: str) -> None:
    print(time.strftime("%Y-%m-%d %H:%M:%S"), words, flush=True)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), int(sys.argv[2])))
