"""The tables of a library file, and the steps from each version of them to the next."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from cryofed.errors import InputError

APPLICATION_ID = 0x43727946  # "CryF": tells a library from any other SQLite file
PAGE_SIZE = 32768  # bytes; a job's pictures are one value of about a megabyte
LONGEST = 2**29  # bytes of one value: a job of ten thousand classes has a third of that
MAPPED = 2**31 - 65536  # bytes read without a copy: an epoch takes two thirds of the CPU time

# Arrays are little-endian, C order, one row per class in stack order:
#   classes  float64 (n, 6)       number, particles, resolution, distribution, accuracies, as in ClassTable
#   features float32 (n, F)       as the network sees them
#   images   float16 (n, 64, 64)  as the network sees them
#   wide     float16 (n, 96, 96)  1.5 mask radii on the same grid, not clipped: can be prepared again
#   labels   float32 (n,)         in the scale of the habit, NaN where nothing was said
#   reasons  int8 (n,)            index into REASONS, -1 where unknown
STEPS = (
    """
    CREATE TABLE projects (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        held_out INTEGER CHECK (held_out IN (0, 1))  -- NULL until first read for training
    );
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        project INTEGER NOT NULL REFERENCES projects,
        program TEXT NOT NULL,
        name TEXT NOT NULL,
        path TEXT NOT NULL,
        content_hash TEXT NOT NULL UNIQUE,
        added_at TEXT NOT NULL,
        n INTEGER NOT NULL,
        box INTEGER NOT NULL,
        pixel_size_angstrom REAL,
        mask_diameter_angstrom REAL,
        preparation TEXT NOT NULL,
        stored_hash TEXT NOT NULL,
        classes BLOB NOT NULL,
        features BLOB NOT NULL,
        images BLOB NOT NULL
    );
    CREATE INDEX jobs_by_project ON jobs (project);
    CREATE TABLE pictures (
        job INTEGER PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
        wide BLOB NOT NULL
    );
    CREATE TABLE labellings (
        id INTEGER PRIMARY KEY,
        job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
        habit TEXT NOT NULL,
        source TEXT NOT NULL,
        made_at TEXT NOT NULL,
        review INTEGER NOT NULL CHECK (review IN (0, 1)),
        job_score REAL NOT NULL,
        labels BLOB NOT NULL,
        reasons BLOB NOT NULL,
        UNIQUE (job, habit, source, made_at, labels)
    );
    """,
    """
    CREATE TABLE privacy (  -- one row: where the privacy ledger is, and the seal over all that it held
        id INTEGER PRIMARY KEY CHECK (id = 1),
        ledger TEXT NOT NULL,
        seal TEXT NOT NULL
    );
    """,
)
VERSION = len(STEPS)
_STATISTICS = {(f"sqlite_stat{number}", "table") for number in (1, 4)}  # of somebody's ANALYZE; numbers only


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open a library file, make it where `create` allows, and bring it to this version.

    Raises:
        InputError: there is no such file, it is something else, or a later CryoFed wrote it.
    """
    if not create and not path.is_file():
        raise InputError(path, "library", "no such file", "harvest into it first, or correct the path")
    if not create and path.stat().st_size == 0:  # to SQLite, a new database
        raise InputError(path, "library", "an empty file", "restore it from a backup, or remove it")
    if not path.parent.is_dir():
        raise InputError(path.parent, "folder of the library", "no such folder", "make it first")
    connection = None
    try:
        if create:  # SQLite would let everybody read it; its other files get the rights of this one
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, timeout=60, isolation_level=None)
        _prepare(connection, path)
    except (sqlite3.Error, OSError, InputError) as error:
        if connection:
            connection.close()
        if isinstance(error, InputError):
            raise
        remedy = "give a library file on a local, writable disk"
        raise InputError(path, "library", str(error), remedy) from error
    return connection


def migrate(connection: sqlite3.Connection, to: int = VERSION) -> None:
    """Take the missing steps, all or none."""
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for step in STEPS[version:to]:
        for statement in filter(str.strip, step.split(";")):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {to}")
    connection.execute("COMMIT")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (tables or application or version):
        raise InputError(path, "library", "an SQLite file of another program", "give another path")
    if version > VERSION:
        found = f"schema version {version}, this CryoFed knows {VERSION}"
        raise InputError(path, "library", found, "update CryoFed")
    if application and (odd := _odd_tables(connection, version)):
        remedy = "restore the file from a backup; nothing of it was used"
        raise InputError(path, "library", f"{odd[:80]!r} is not as CryoFed makes it", remedy)
    if not application:
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # with WAL: a killed process loses nothing committed
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA mmap_size = {MAPPED}")
    if version < VERSION:
        migrate(connection)


def _odd_tables(connection: sqlite3.Connection, version: int) -> str:
    """The first table, index, view or trigger that is not of this version's schema, or is missing; else "".

    A trigger or a view would be the file's own program, and a changed table another meaning.
    """
    query = "SELECT name, type, tbl_name, sql FROM sqlite_schema WHERE NOT (type = 'index' AND sql IS NULL)"
    odd = set(connection.execute(query))
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh, version)
        known = set(fresh.execute(query))
    odd = {row for row in odd if (row[0], row[1]) not in _STATISTICS}
    return next((str(row[0]) for row in sorted(odd ^ known, key=str)), "")
