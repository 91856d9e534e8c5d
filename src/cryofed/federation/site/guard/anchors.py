"""Who remembers how far a privacy ledger had come: the library itself, and a place of the user's.

A ledger alone can be deleted or put back. The library's note goes with every copy of the file; the user's
place knows the averages by their hashes, whatever file holds them. One who removes ledger, library and that
place together, or works as another user with an old copy, begins anew: the machine's owner can always do so.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryofed.disk.chain import was_head
from cryofed.disk.documents import read_document, write_document
from cryofed.errors import GuardError
from cryofed.federation.site.guard.contents import Records, keep_records, kept_records
from cryofed.library.privacy import read_anchor, write_anchor

LEDGER = "ledger.jsonl"


@dataclass(frozen=True, slots=True)
class Anchor:
    """What one of them remembers."""

    ledger: Path
    seal: str
    where: Path  # who says so, for an error


def user_place() -> Path:
    """The user's own: `$XDG_STATE_HOME/cryofed/privacy`, by default under `~/.local/state`."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "cryofed" / "privacy"


def anchors_of(file: Path, records: Records) -> list[Anchor]:
    """All that is remembered of these averages, the library's own note first."""
    anchor = read_anchor(file)
    own = [] if anchor is None else [Anchor(*anchor, file)]
    return [*own, *_of_user(records)]


def ledgers_of(anchors: list[Anchor], own: Path) -> list[Path]:
    """The ledgers that they name, each once; `own`, this site's, may be one that was moved here.

    Raises:
        GuardError: one is not there, or lacks what it once held.
    """
    ledgers: dict[Path, None] = {}
    moved_to = [own, *(anchor.ledger for anchor in anchors)]
    for anchor in anchors:
        place = next((path for path in (anchor.ledger, *moved_to) if _holds(path, anchor.seal)), None)
        if place is None:
            raise GuardError(
                "ledger",
                f"{anchor.ledger} lacks what {anchor.where} says was spent; restore it: it must never be "
                "deleted or put back",
            )
        ledgers[place.resolve()] = None
    return list(ledgers)


def remember(file: Path, records: Records, ledger: Path, seal: str) -> None:
    """Let both know how far the ledger has come."""
    write_anchor(file, (ledger.resolve(), seal))
    place = user_place()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = keep_records(place, records)
    here = str(ledger.resolve())  # of each ledger a note of its own: two sites may have the same averages
    which = hashlib.sha256(here.encode()).hexdigest()[:16]
    write_document(place / f"{name}-{which}.json", {"ledger": here, "seal": seal}, mode=0o600)


def _holds(path: Path, seal: str) -> bool:
    return path.exists() and was_head(path, seal)


def _of_user(records: Records) -> Iterator[Anchor]:
    place = user_place()
    for path in sorted(place.glob("*.json")):
        known = kept_records(place, path.stem.partition("-")[0])
        if known is None or np.isin(known, records).any():  # what is not known counts as if it were
            record = read_document(path)
            yield Anchor(Path(str(record["ledger"])), str(record["seal"]), path)
