"""cisTEM: a project's database and the averages of its newest 2D classification.

Source: cisTEM, `database_schema.h` and `database.cpp`.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.jobs.mrc import read_mrc
from cryofed.jobs.programs import Start
from cryofed.jobs.reading import AGAIN, check_file, translated

NAME = re.compile(r"class_averages_(\d{1,9})\.mrc")
PLACE = Path("Assets/ClassAverages")  # in the project's folder
SQLITE = b"SQLite format 3\0"
STEPS, MOST_STEPS = 100_000, 2_000  # of SQLite's machine between looks, and looks: some seconds


def starts(path: Path) -> Path | None:
    """The averages of a classification: the file itself, or the newest of a project's database."""
    if path.suffix == ".db" and _tables(path):
        return next(iter(_newest(path.absolute().parent)), None)
    return path if NAME.fullmatch(path.name) and _database(path) else None


def find(folder: Path) -> list[Start]:
    """The averages of the newest classification of the project in this folder."""
    if not any(_tables(file) for file in folder.glob("*.db")):
        return []
    files = _newest(folder)
    note = f"read {files[0].stem}, the newest of {len(files)} classifications" if len(files) > 1 else ""
    return [Start(files[0], note)] if files else []


def open_job(path: Path) -> ClassJob:
    """The averages and the counts of one classification; the mask is the one that the user typed."""
    averages, header_pixel = read_mrc(path)
    table, pixel, radius = ClassTable.unknown(len(averages)), header_pixel, 0.0
    database = _database(path)
    match = NAME.fullmatch(path.name)
    classes = np.zeros(0, np.int32)
    if database is not None and match is not None:
        with _reading(database) as sql:
            key = (int(match[1]),)
            query = (
                "SELECT NUMBER_OF_CLASSES, MASK_RADIUS FROM CLASSIFICATION_LIST WHERE CLASSIFICATION_ID = ?"
            )
            n, radius = sql.execute(query, key).fetchone() or (len(averages), 0)
            if int(n) != len(averages):
                found = f"{n} classes, but {path.name} has {len(averages)} images"
                raise InputError(database, "CLASSIFICATION_LIST", found, "copy the whole project")
            rows = sql.execute(
                f"SELECT BEST_CLASS FROM CLASSIFICATION_RESULT_{key[0]} ORDER BY POSITION_IN_STACK"
            )
            classes = np.array([int(best) for (best,) in rows], np.int64).astype(np.int32)
    if len(classes):
        if classes.min() < 0 or classes.max() > len(averages):
            found = f"class {classes.max()}, but there are {len(averages)} classes"
            raise InputError(path, "BEST_CLASS", found, "copy the whole project")
        table = replace(table, particles=np.bincount(classes, minlength=len(averages) + 1)[1:])
    return ClassJob(
        program="cistem",
        path=path,
        name=path.stem,
        averages=averages,
        classes=table,
        pixel_size_angstrom=pixel,
        mask_diameter_angstrom=2 * float(radius) if radius and 0 < float(radius) < 1e5 else None,
        particle_classes=classes if len(classes) else None,
        read=path.stem,
        files={"averages": path},
    )


def own_folder(_job: ClassJob) -> Path | None:
    """None: the averages lie among those of other classifications."""
    return None


def _newest(project: Path) -> list[Path]:
    """The averages of a project's classifications, the newest first."""
    place = project / PLACE
    files = place.iterdir() if place.is_dir() else iter(())
    stacks = [(int(m[1]), file) for file in files if (m := NAME.fullmatch(file.name))]
    return [file for _, file in sorted(stacks, reverse=True)]


def _database(averages: Path) -> Path | None:
    """The database of the project that the averages lie in."""
    project = averages.absolute().parent
    for _ in PLACE.parts:
        project = project.parent
    return next((file for file in sorted(project.glob("*.db")) if _tables(file)), None)


def _tables(path: Path) -> bool:
    """Whether a file is the database of a cisTEM project."""
    try:
        with path.open("rb") as file:
            if file.read(len(SQLITE)) != SQLITE:
                return False
        with _reading(path) as sql:
            query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'CLASSIFICATION_LIST'"
            return sql.execute(query).fetchone() is not None
    except (InputError, OSError):
        return False


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The database, which cannot be changed and cannot compute for ever."""
    check_file(path, "cisTEM database")
    looks = iter(range(MOST_STEPS))
    with translated(path, "cisTEM database", AGAIN):
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as sql:
            sql.execute("PRAGMA trusted_schema = OFF")
            sql.set_progress_handler(lambda: next(looks, None) is None, STEPS)
            yield sql
