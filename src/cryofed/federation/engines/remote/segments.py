"""Small files by which a segment and the coordinator's `run` tell each other how things stand.

A segment is one job of an engine that has jobs: it carries some rounds of a campaign, and is disposable.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryofed.disk.whole import write_whole

SEGMENTS = "segments"  # in the engine's folder: one folder per segment, with its job and its note
NOBODY = "nobody"  # the segment that follows when none shall
_NOTE, _PRESENCE, _GIVE_WAY = "note.json", "presence.json", "give-way"


@dataclass(frozen=True, slots=True)
class Note:
    """How a segment stands: `runs`, `ended` (the campaign goes on), `failed` or `finished`."""

    segment: str
    state: str
    words: str


def write_note(folder: Path, segment: str, state: str, words: str = "") -> None:
    """By the segment; each has its own, for the one before may end after the next has begun."""
    path = folder / SEGMENTS / segment / _NOTE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({"segment": segment, "state": state, "words": words}).encode())


def read_note(folder: Path, segment: str) -> Note | None:
    """The segment's note; None before it has begun."""
    try:
        return Note(**json.loads((folder / SEGMENTS / segment / _NOTE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_presence(folder: Path, segment: str, sites: Sequence[str]) -> None:
    """By the segment, before each round: the sites whose process answers."""
    presence = {"segment": segment, "sites": sorted(sites), "time": time.time()}
    write_whole(folder / _PRESENCE, json.dumps(presence).encode())


def read_presence(folder: Path, segment: str) -> tuple[set[str], float] | None:
    """Sites that took part in this segment's last round, and when it began; None before its first."""
    try:
        presence = json.loads((folder / _PRESENCE).read_text())
    except (OSError, ValueError):
        return None
    return (set(presence["sites"]), presence["time"]) if presence.get("segment") == segment else None


def give_way(folder: Path, segment: str) -> None:
    """Ask every segment but this one to stop between two rounds, as soon as this one has begun."""
    write_whole(folder / _GIVE_WAY, segment.encode())


def must_give_way(folder: Path, segment: str) -> bool:
    """Whether another segment takes over now: until its processes are there, this one goes on."""
    try:
        wanted = (folder / _GIVE_WAY).read_text()
    except OSError:
        return False
    return wanted != segment and (wanted == NOBODY or read_note(folder, wanted) is not None)
