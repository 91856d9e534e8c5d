"""The library's own note of its privacy ledger: a copy of the file takes it along."""

from __future__ import annotations

from pathlib import Path

from cryofed.library.store import Library

Anchor = tuple[Path, str]  # where the ledger is, and the seal over all that it held


def read_anchor(path: Path) -> Anchor | None:
    """What the library says of its ledger, None where nothing was spent on it yet."""
    with Library(path) as library:
        row = library.row("SELECT ledger, seal FROM privacy")
    return None if row is None else (Path(str(row[0])), str(row[1]))


def write_anchor(path: Path, anchor: Anchor) -> None:
    """Note where the ledger is and how far it has come."""
    with Library(path) as library, library.transaction() as sql:
        sql.execute("INSERT OR REPLACE INTO privacy VALUES (1, ?, ?)", (str(anchor[0]), anchor[1]))
