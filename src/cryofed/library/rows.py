"""Nouns to rows of the library and back."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.library.labels import Labelling
from cryofed.library.pictures import PREPARATION, HalfImages
from cryofed.scoring.features import features

COLUMNS = tuple(column.name for column in fields(ClassTable))
BYTES = 8 * len(COLUMNS)  # of one class in `jobs.classes`

STORED_JOB = (
    "SELECT jobs.id, projects.name, program, jobs.name, path, content_hash, added_at, box,"
    " pixel_size_angstrom, mask_diameter_angstrom, classes"
    " FROM jobs JOIN projects ON projects.id = project WHERE ?1 IS NULL OR jobs.id = ?1 ORDER BY jobs.id"
)
LABELLING = (
    "SELECT job, habit, source, made_at, review, job_score, labels, reasons FROM labellings"
    " WHERE ?1 IS NULL OR job = ?1 ORDER BY id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """A job of the library without its pictures."""

    job_id: int
    project: str
    program: str
    name: str
    path: str
    content_hash: str
    added_at: str  # ISO 8601, UTC
    box: int  # pixels
    pixel_size_angstrom: float | None
    mask_diameter_angstrom: float | None
    classes: ClassTable
    labellings: tuple[Labelling, ...]


_WORDS, _NUMBER, _MAYBE = (str,), (int, float), (int, float, type(None))
_JOB_KINDS = (int, *[_WORDS] * 6, _NUMBER, _MAYBE, _MAYBE, bytes)  # of `STORED_JOB`
_LABELLING_KINDS = (*[_WORDS] * 3, int, _NUMBER, bytes, bytes)  # of `LABELLING` without its job


def stored_job(row: tuple[Any, ...], labellings: tuple[Labelling, ...]) -> StoredJob:
    """From a row of `STORED_JOB`.

    Raises:
        ValueError, TypeError: it is none, or the labels are of other classes.
    """
    _check_kinds(row, _JOB_KINDS)
    if any(len(said.values) != len(row[-1]) // BYTES for said in labellings):
        raise ValueError("labels of another number of classes")
    names = [name for name in StoredJob.__slots__ if name not in ("classes", "labellings")]
    return StoredJob(
        **dict(zip(names, row[:-1], strict=True)), classes=class_table(row[-1]), labellings=labellings
    )


def class_table(blob: bytes) -> ClassTable:
    """From the float64 array of the schema.

    Raises:
        ValueError, TypeError: it is none.
    """
    number, particles, *rest = np.frombuffer(blob, "<f8").reshape(-1, len(COLUMNS)).T
    if not (np.abs([number, particles]) < 2**53).all():
        raise ValueError("numbers of classes or particles that are none")
    resolution, distribution, rotation, translation = rest
    return ClassTable(
        number=number.astype(np.int64),
        particles=particles.astype(np.int64),
        resolution_angstrom=resolution,
        distribution=distribution,
        accuracy_rotation_degree=rotation,
        accuracy_translation_angstrom=translation,
    )


def labelling(row: tuple[Any, ...]) -> Labelling:
    """From a row of `LABELLING` without its job.

    Raises:
        ValueError, TypeError: it is none.
        InputError: values outside their scale.
    """
    _check_kinds(row, _LABELLING_KINDS)
    if len(row[-2]) != 4 * len(row[-1]):
        raise ValueError("labels and reasons of unequal number")
    habit, source, made_at, review, job_score, labels, reasons = row
    return Labelling(
        habit=habit,
        source=source,
        made_at=made_at,
        review=bool(review),
        job_score=job_score,
        values=np.frombuffer(labels, "<f4"),
        reasons=np.frombuffer(reasons, np.int8),
    )


def _check_kinds(row: tuple[Any, ...], kinds: Sequence[Any]) -> None:
    """SQLite keeps any kind of value in any column."""
    for value, kind in zip(row, kinds, strict=True):
        if not isinstance(value, kind):
            raise TypeError(f"a value of another kind: {str(value)[:20]!r}")


def insert_job(
    sql: sqlite3.Connection, job: ClassJob, project: str, content: str, ready: tuple[HalfImages, HalfImages]
) -> int:
    """A row of `jobs` and one of `pictures`, with the prepared and the wide images; the job's number."""
    sql.execute("INSERT OR IGNORE INTO projects (name) VALUES (?)", (project,))
    numbers = features(job).astype("<f4").tobytes()
    shown, wide = (images.astype("<f2").tobytes() for images in ready)
    table = np.stack([getattr(job.classes, name) for name in COLUMNS], axis=1).astype("<f8")
    row = {
        "program": job.program,
        "name": job.name,
        "path": str(job.path),
        "content_hash": content,
        "added_at": now(),
        "n": len(job.classes),
        "box": job.box,
        "pixel_size_angstrom": job.pixel_size_angstrom,
        "mask_diameter_angstrom": job.mask_diameter_angstrom,
        "preparation": PREPARATION,
        "stored_hash": stored_hash(numbers, shown, wide),
        "classes": table.tobytes(),
        "features": numbers,
        "images": shown,
    }
    marks = ", ".join(f":{name}" for name in row)
    cursor = sql.execute(
        f"INSERT INTO jobs (project, {', '.join(row)})"
        f" VALUES ((SELECT id FROM projects WHERE name = :project), {marks})",
        {**row, "project": project},
    )
    assert cursor.lastrowid is not None
    sql.execute("INSERT INTO pictures VALUES (?, ?)", (cursor.lastrowid, wide))
    return cursor.lastrowid


def insert_labelling(sql: sqlite3.Connection, job_id: int, labelling: Labelling) -> bool:
    """A row of `labellings`, unless exactly this is there."""
    reasons = labelling.reasons if labelling.reasons is not None else np.full(len(labelling.values), -1)
    cursor = sql.execute(
        "INSERT OR IGNORE INTO labellings (job, habit, source, made_at, review, job_score, labels, reasons)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            job_id,
            labelling.habit,
            labelling.source,
            labelling.made_at,
            labelling.review,
            labelling.job_score,
            # One and the same bits for every NaN, so that equal labels are equal bytes.
            np.where(np.isfinite(labelling.values), labelling.values, np.nan).astype("<f4").tobytes(),
            reasons.astype(np.int8).tobytes(),
        ),
    )
    return cursor.rowcount == 1


def stored_hash(features: bytes, images: bytes, wide: bytes) -> str:
    """SHA-256 over what training reads; `verify` compares it."""
    digest = hashlib.sha256(features)
    digest.update(images)
    digest.update(wide)
    return digest.hexdigest()


def now() -> str:
    """The time as the library writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def file_time(path: Path) -> str:
    """When a file was last changed, as the library writes it."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
