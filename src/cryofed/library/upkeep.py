"""Check, join and export libraries."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from cryofed.disk.whole import write_whole
from cryofed.errors import InputError, OutputError
from cryofed.library.pictures import WIDE_SIDE
from cryofed.library.reading import meaning
from cryofed.library.rows import COLUMNS, stored_hash
from cryofed.library.store import Library
from cryofed.scoring.features import FEATURES
from cryofed.scoring.prepare import SIDE

ABOUT = ["row", "held_out", "project", "program", "job", "class_number", "particles", "resolution_angstrom"]
MEANING = ["target", "good"]
LABEL = ["habit", "value", "source", "made_at", "review"]


def verify(library: Library) -> list[str]:
    """What is wrong with the file, one line each; nothing when all is well."""
    try:
        problems = [text for (text,) in library.sql.execute("PRAGMA integrity_check") if text != "ok"]
        lost = library.sql.execute("PRAGMA foreign_key_check").fetchall()
        problems += [f"{table} {row}: points to nothing in {target}" for table, row, target, _ in lost]
        for row in library.sql.execute(
            "SELECT jobs.id, n, stored_hash, classes, features, images, wide FROM jobs"
            " LEFT JOIN pictures ON job = jobs.id"
        ):
            problems += [f"job {row[0]}: {problem}" for problem in _wrong_job(row[1:])]
        for number, n, labels, reasons in library.sql.execute(
            "SELECT labellings.id, n, length(labels), length(reasons)"
            " FROM labellings JOIN jobs ON jobs.id = job"
        ):
            if (labels, reasons) != (4 * n, n):
                problems.append(f"labels {number}: {labels} and {reasons} bytes for {n} classes")
    except (sqlite3.DatabaseError, TypeError, ValueError) as error:
        return [f"the file is damaged: {' '.join(str(error).split())}"]
    return problems


def _wrong_job(row: tuple[Any, ...]) -> list[str]:
    n, stored, classes, features, images, wide = row
    sizes = {
        "classes": (classes, 8 * len(COLUMNS)),
        "features": (features, 4 * len(FEATURES)),
        "images": (images, 2 * SIDE**2),
        "wide": (wide or b"", 2 * WIDE_SIDE**2),
    }
    if odd := [name for name, (blob, _) in sizes.items() if not isinstance(blob, bytes)]:
        return [f"{name} are no bytes" for name in odd]
    problems = [
        f"{name} has {len(blob)} bytes for {n} classes"
        for name, (blob, size) in sizes.items()
        if len(blob) != n * size
    ]
    if stored_hash(features, images, wide or b"") != stored:
        problems.append("images or features are not what was stored")
    return problems


def merge(library: Library, other: Path) -> tuple[int, int]:
    """Bring in what another library has more: jobs and labels; how many of each.

    A project that is decided here stays so; one that is not takes the other's decision.
    """
    if other.resolve() == library.path.resolve():
        raise InputError(other, "library", "the same file", "give another library")
    with Library(other) as opened:  # brings it to this version's tables
        opened.jobs()
        if problems := verify(opened):
            raise InputError(
                other, "content", problems[0], "restore it from a backup; nothing was brought in"
            )
    sql = library.sql
    sql.execute("ATTACH ? AS other", (str(other),))
    try:
        with library.transaction():
            before = _counts(sql)
            for statement in _MERGE:
                sql.execute(statement)
            jobs, labels = (now - then for now, then in zip(_counts(sql), before, strict=True))
    finally:
        sql.execute("DETACH other")
    return jobs, labels


def _counts(sql: sqlite3.Connection) -> tuple[int, int]:
    row: tuple[int, int] = sql.execute(
        "SELECT (SELECT count(*) FROM main.jobs), (SELECT count(*) FROM main.labellings)"
    ).fetchone()
    return row


_JOB = (
    "program, name, path, content_hash, added_at, n, box, pixel_size_angstrom, mask_diameter_angstrom,"
    " preparation, stored_hash, classes, features, images"
)
_MERGE = (
    "INSERT OR IGNORE INTO main.projects (name) SELECT name FROM other.projects",
    "UPDATE main.projects SET held_out ="
    " (SELECT held_out FROM other.projects AS o WHERE o.name = projects.name) WHERE held_out IS NULL",
    f"INSERT INTO main.jobs (project, {_JOB}) SELECT p.id, {_JOB.replace('name', 'j.name', 1)}"
    " FROM other.jobs AS j JOIN other.projects AS o ON o.id = j.project"
    " JOIN main.projects AS p ON p.name = o.name"
    " WHERE content_hash NOT IN (SELECT content_hash FROM main.jobs) ORDER BY j.id",
    "INSERT OR IGNORE INTO main.pictures (job, wide) SELECT m.id, wide FROM other.pictures AS w"
    " JOIN other.jobs AS j ON j.id = w.job JOIN main.jobs AS m ON m.content_hash = j.content_hash",
    "INSERT OR IGNORE INTO main.labellings (job, habit, source, made_at, review, job_score, labels, reasons)"
    " SELECT m.id, habit, source, made_at, review, job_score, labels, reasons FROM other.labellings AS l"
    " JOIN other.jobs AS j ON j.id = l.job JOIN main.jobs AS m ON m.content_hash = j.content_hash"
    " ORDER BY l.id",
)


def export(library: Library, folder: Path) -> int:
    """Write `averages.npy` `(n, 64, 64)`, `features.npy` and `labels.tsv`; the number of averages.

    The table has one line for each label of an average, and one for an average without any; `row` counts
    from 0 in both arrays.
    """
    if folder.exists() and any(folder.iterdir()):
        raise OutputError(folder, "folder", "not empty", "give a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    fate = {project.name: project.held_out for project in library.projects()}
    jobs = library.jobs()
    n = sum(len(job.classes) for job in jobs)
    images = np.lib.format.open_memmap(folder / "averages.npy", "w+", np.float16, (n, SIDE, SIDE))
    numbers = np.lib.format.open_memmap(folder / "features.npy", "w+", np.float32, (n, len(FEATURES)))
    lines = ["\t".join([*ABOUT, *MEANING, *LABEL])]
    first = 0
    for job in jobs:
        last = first + len(job.classes)
        images[first:last], numbers[first:last] = library.images(job.job_id), library.features(job.job_id)
        known, target, good, _ = meaning(job)
        for index in range(len(job.classes)):
            table = job.classes
            about = [first + index, int(fate[job.project]), job.project, job.program, job.name]
            about += [table.number[index], table.particles[index], f"{table.resolution_angstrom[index]:.3f}"]
            about += [f"{target[index]:.4f}", int(good[index])] if known[index] else ["", ""]
            said = [one for one in job.labellings if np.isfinite(one.values[index])]
            labels = [
                [one.habit, f"{one.values[index]:g}", one.source, one.made_at, int(one.review)]
                for one in said
            ]
            lines += ["\t".join(map(str, about + label)) for label in labels or [[""] * len(LABEL)]]
        first = last
    write_whole(folder / "labels.tsv", ("\n".join(lines) + "\n").encode())
    return n
