"""What the watch remembers over restarts: one small file, replaced as a whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from cryofed.errors import InputError, OutputError

FILE = "watch.json"
VERSION = 1
# writing: the decision is made and its files are being written; kept: they are written; look: a person must
# look, nothing was written; same: another job with the same contents was decided; broken: unreadable.
Outcome = Literal["writing", "kept", "look", "same", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What became of one classification. Shares are of 1, None where nothing is known."""

    name: str
    content: str  # SHA-256 of its files
    outcome: Outcome
    when: str  # ISO 8601, UTC
    folder: str = ""  # of the selection, relative to the watch's own folder
    note: str = ""
    classes: int = 0
    classes_kept: int = 0
    particles: int | None = None
    particles_kept: int | None = None
    views: int = 0
    views_kept: int = 0
    unsure: int = 0
    seconds: float = 0.0
    learnt: str = ""  # from which selection of a person its scores were learnt, in words


@dataclass(slots=True)
class Memory:
    """The records by name, and the file that holds them. One watch at a time owns it."""

    path: Path
    records: dict[str, Record] = field(default_factory=dict)
    lock: int = -1

    def by_content(self, content: str) -> Record | None:
        """A job with the same files that was decided."""
        found = (r for r in self.records.values() if r.content == content and r.outcome in ("kept", "look"))
        return next(found, None)

    def keep(self, record: Record) -> None:
        """Remember, on disk before this returns."""
        self.records[record.name] = record
        text = json.dumps(
            {"version": VERSION, "jobs": [asdict(r) for r in self.records.values()]},
            indent=1,
        )
        write_whole(self.path, text)

    def close(self) -> None:
        """Let another watch have it."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


def open_memory(folder: Path) -> Memory:
    """Read what is remembered in a folder, and take the folder for this process alone.

    Raises:
        OutputError: the folder cannot be written, or another watch runs there.
        InputError: the file is no memory of a watch.
    """
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".watch.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise OutputError(
            folder, "--out", error.strerror or str(error), "name a folder where you may write"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise OutputError(
            folder, "watch", "another watch runs here", "stop it first, or name --out"
        ) from None
    try:
        return Memory(path=path, records=_read(path), lock=lock)
    except InputError:
        os.close(lock)
        raise


def write_whole(path: Path, text: str) -> None:
    """Replace a file so that a crash leaves the old one or the new one."""
    unfinished = path.with_name(f".{path.name}.new")
    # A folder's name need not be UTF-8.
    with unfinished.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _read(path: Path) -> dict[str, Record]:
    if not path.exists():
        return {}
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != VERSION:
            raise InputError(path, "version", str(document["version"]), "update CryoFed")
        records = [Record(**one) for one in document["jobs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            path, "memory of the watch", str(error), "move it away; finished jobs are then selected again"
        ) from error
    return {record.name: record for record in records}
