"""What the watch remembers over restarts: one small file, replaced as a whole or not at all."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from cryofed.disk.lock import held
from cryofed.disk.whole import write_whole
from cryofed.errors import BusyError, InputError, OutputError

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
    lock: ExitStack = field(default_factory=ExitStack)

    def by_content(self, content: str) -> Record | None:
        """A job with the same files that was decided."""
        decided = (r for r in self.records.values() if r.content == content and r.outcome in ("kept", "look"))
        return next(decided, None)

    def keep(self, record: Record) -> None:
        """Remember, on disk before this returns."""
        self.records[record.name] = record
        text = json.dumps(
            {"version": VERSION, "jobs": [asdict(r) for r in self.records.values()]},
            indent=1,
        )
        write_whole(self.path, text.encode())

    def close(self) -> None:
        """Let another watch have it."""
        self.lock.close()


def open_memory(folder: Path) -> Memory:
    """Read what is remembered in a folder, and take the folder for this process alone.

    Raises:
        OutputError: the folder cannot be written, or another watch runs there.
        InputError: the file is no memory of a watch.
    """
    path = folder / FILE
    with ExitStack() as lock:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.enter_context(held(folder / ".watch.lock", wait_s=0))
        except OSError as error:
            raise OutputError(
                folder, "--out", error.strerror or str(error), "name a folder where you may write"
            ) from None
        except BusyError as error:
            found = f"another watch runs here, process {error.args[1]}"
            raise OutputError(folder, "watch", found, "stop it first, or name --out") from None
        for remains in folder.glob(".*.[0-9]*"):  # of a watch that was killed while it replaced a file
            if remains.is_file():
                remains.unlink(missing_ok=True)
        return Memory(path=path, records=_read(path), lock=lock.pop_all())


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
