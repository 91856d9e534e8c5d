"""Two small files between the coordinator's `run` and the aggregator: what shall run, how it stands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cryofed.disk.whole import write_whole

_WANTED, _NOTE = "wanted.json", "note.json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall run: a turn, that is one `run` of the coordinator's, and its trial; empty for a campaign."""

    turn: str
    trial: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """How a turn stands: `runs`, `ended` (it gave way), `failed` or `finished`."""

    turn: str
    state: str
    words: str = ""


def want(folder: Path, wanted: Wanted | None) -> None:
    """By the coordinator; None: nothing shall run, and what runs stops between two rounds."""
    if wanted is None:
        (folder / _WANTED).unlink(missing_ok=True)
    else:
        write_whole(folder / _WANTED, json.dumps({"turn": wanted.turn, "trial": wanted.trial}).encode())


def read_wanted(folder: Path) -> Wanted | None:
    """What shall run now."""
    try:
        return Wanted(**json.loads((folder / _WANTED).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_note(folder: Path, note: Note) -> None:
    """By the aggregator."""
    fields = {"turn": note.turn, "state": note.state, "words": note.words}
    write_whole(folder / _NOTE, json.dumps(fields).encode())


def read_note(folder: Path, turn: str) -> Note | None:
    """How this turn stands; None before it has begun."""
    try:
        note = Note(**json.loads((folder / _NOTE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return note if note.turn == turn else None
