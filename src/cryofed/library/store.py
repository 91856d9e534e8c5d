"""A site's labelled averages in one SQLite file that never leaves the site."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob
from cryofed.library import pictures, rows, split
from cryofed.library.labelled import Labelled
from cryofed.library.labels import Labelling
from cryofed.library.reading import gather, meaning
from cryofed.library.renewing import renew
from cryofed.library.rows import StoredJob
from cryofed.library.schema import connect
from cryofed.scoring.features import FEATURES
from cryofed.scoring.prepare import SIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of a job that was offered to the library."""

    job_id: int
    new_job: bool
    new_labellings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project of the library; `averages` that have a label are `labelled`, of these `good` are kept."""

    name: str
    held_out: bool  # decided for good at the first training; until then, what would be decided now
    jobs: int
    averages: int
    labelled: int
    good: int


_EXPONENT = np.uint16(0x7C00)  # of a float16


class Library:
    """A site's labelled class averages; owns the file. Close it, or use it in a `with`.

    `projects()` and `jobs()` say what is there, `labelled()` gives averages, features and labels as arrays,
    `thumbnail(job_id, class_number)` one average as a PNG picture.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        self.sql = connect(path, create=create)

    def close(self) -> None:
        """Close the file."""
        self.sql.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, job: ClassJob, project: str, labellings: Sequence[Labelling] = ()) -> Added:
        """Keep a job and what was said of it, all or nothing; what is there already stays as it is."""
        for labelling in labellings:
            _check_length(labelling, len(job.classes))
        content = pictures.content_hash(job)
        ready = None if self.find(content) else pictures.prepared_and_wide(job)
        with self.transaction() as sql:
            known = self.find(content)
            if known is None and ready is not None:
                job_id = rows.insert_job(sql, job, project, content, ready)
            else:
                job_id = known or 0
            added = sum(rows.insert_labelling(sql, job_id, labelling) for labelling in labellings)
        return Added(job_id=job_id, new_job=known is None, new_labellings=added)

    def label(self, job_id: int, labelling: Labelling) -> bool:
        """Add what somebody said of a job; False when exactly this is there already."""
        (job,) = self.jobs(job_id)
        _check_length(labelling, len(job.classes))
        with self.transaction() as sql:
            return rows.insert_labelling(sql, job_id, labelling)

    def find(self, content_hash: str) -> int | None:
        """The number of the job with these pictures (`pictures.content_hash`)."""
        row = self.row("SELECT id FROM jobs WHERE content_hash = ?", content_hash)
        return None if row is None else int(row[0])

    def row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        """The first row of a query."""
        with self._sound():
            record: tuple[Any, ...] | None = self.sql.execute(query, values).fetchone()
        return record

    def has_labelling(self, source: str, made_at: str) -> bool:
        """Whether this act of labelling was brought in before."""
        return (
            self.row("SELECT 1 FROM labellings WHERE source = ? AND made_at = ?", source, made_at) is not None
        )

    def jobs(self, job_id: int | None = None) -> list[StoredJob]:
        """All jobs in the order they came, or the one asked for."""
        said: dict[int, list[Labelling]] = {}
        with self._sound():
            for job, *row in self.sql.execute(rows.LABELLING, (job_id,)):
                said.setdefault(job, []).append(rows.labelling(tuple(row)))
            records = self.sql.execute(rows.STORED_JOB, (job_id,)).fetchall()
            if job_id is not None and not records:
                raise InputError(self.path, "job", str(job_id), "no such job in this library")
            return [rows.stored_job(row, tuple(said.get(row[0], ()))) for row in records]

    def images(self, job_id: int) -> NDArray[np.float16]:
        """The prepared averages of a job, `(n, 64, 64)`."""
        return self._array("images", job_id, "<f2", (SIDE, SIDE))

    def features(self, job_id: int) -> NDArray[np.float32]:
        """The features of a job, `(n, F)`."""
        return self._array("features", job_id, "<f4", (len(FEATURES),))

    def wide(self, job_id: int) -> NDArray[np.float16]:
        """The averages of a job as kept for preparing again and for showing, `(n, 96, 96)`."""
        return self._array("wide", job_id, "<f2", (pictures.WIDE_SIDE, pictures.WIDE_SIDE))

    def thumbnail(self, job_id: int, class_number: int) -> bytes:
        """One class average as a PNG of 96 × 96 pixels."""
        (job,) = self.jobs(job_id)
        return pictures.thumbnail(self.wide(job_id)[job.classes.number.tolist().index(class_number)])

    def labelled(self, held_out: bool | None = None, *, wide: bool = True) -> Labelled:
        """The labelled averages that train (False), that are held out (True), or all (None).

        `wide` images are `(n, 96, 96)`, so that training can choose other crops; else `(n, 64, 64)`.
        Classes without particles are left out: nobody looks at them. The first call decides for good
        which of the projects so far are held out.
        """
        with self._sound():
            self._settle()
            renew(self.sql)
            fate = self._decided()
            jobs = [job for job in self.jobs() if job.labellings]
            chosen = [job for job in jobs if held_out is None or fate[job.project] is held_out]
            side, pictures_of = (pictures.WIDE_SIDE, self.wide) if wide else (SIDE, self.images)
            return gather(chosen, side, pictures_of, self.features)

    def unite(self, project: str, into: str) -> bool:
        """Let the jobs of one project belong to another, where the first has not been decided yet.

        For a project that was moved: what is held out of it must stay so under the new name.
        """
        with self.transaction() as sql:
            moved = sql.execute(
                "UPDATE jobs SET project = (SELECT id FROM projects WHERE name = ?2)"
                " WHERE project = (SELECT id FROM projects WHERE name = ?1 AND held_out IS NULL)"
                " AND EXISTS (SELECT 1 FROM projects WHERE name = ?2)",
                (project, into),
            ).rowcount
            sql.execute(
                "DELETE FROM projects WHERE name = ? AND id NOT IN (SELECT project FROM jobs)", (project,)
            )
        return moved > 0

    def projects(self) -> list[Project]:
        """The projects by name."""
        jobs = self.jobs()
        with self._sound():
            decided = self._decided()
            fate = {**split.held_out(decided, self._undecided()), **decided}
            meant = [meaning(job) for job in jobs]
        counts: dict[str, list[int]] = {}
        for job, (known, _, good, _) in zip(jobs, meant, strict=True):
            more = (1, len(job.classes), int(known.sum()), int(good[known].sum()))
            counts[job.project] = [a + b for a, b in zip(counts.get(job.project, [0] * 4), more, strict=True)]
        return [
            Project(
                name=name,
                held_out=fate.get(name, False),
                jobs=count[0],
                averages=count[1],
                labelled=count[2],
                good=count[3],
            )
            for name, count in sorted(counts.items())
        ]

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block or nothing of it, also when the process is killed."""
        with self._sound():
            self.sql.execute("BEGIN IMMEDIATE")
        try:
            with self._sound():
                yield self.sql
        except BaseException:
            with suppress(sqlite3.Error):
                self.sql.execute("ROLLBACK")
            raise
        with self._sound():
            self.sql.execute("COMMIT")

    @contextmanager
    def _sound(self) -> Iterator[None]:
        """A file that is damaged, crafted, full or locked is one line, whatever SQLite or NumPy say of it."""
        try:
            yield
        except sqlite3.OperationalError as error:
            remedy = "give a library on a local, writable disk with room, that nothing else holds"
            raise InputError(self.path, "library", " ".join(str(error).split()), remedy) from error
        except (sqlite3.Error, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            found = f"damaged ({' '.join(str(error).split())[:100]})"
            remedy = "restore it from a backup; `cryofed library verify` says more"
            raise InputError(self.path, "content", found, remedy) from error

    def _array(self, column: str, job_id: int, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
        """A stored array with one row for each class of the job."""
        record = self.row(
            f"SELECT {column}, length(classes) FROM jobs LEFT JOIN pictures ON job = jobs.id"
            " WHERE jobs.id = ?",
            job_id,
        )
        if record is None:
            raise InputError(self.path, "job", str(job_id), "no such job in this library")
        with self._sound():
            blob, length = record
            if not isinstance(blob, bytes):
                raise TypeError(f"{column} of job {job_id} are no bytes")
            array = np.frombuffer(blob, kind)
            if not _sound_numbers(array):
                raise ValueError(f"{column} of job {job_id} hold what is no number")
            return array.reshape(length // rows.BYTES, *shape)

    def _decided(self) -> dict[str, bool]:
        projects = self.sql.execute("SELECT name, held_out FROM projects WHERE held_out IS NOT NULL")
        return {name: bool(flag) for name, flag in projects}

    def _undecided(self) -> dict[str, str]:
        """Labelled projects that are still to be decided: name to mark, the least hash of its pictures."""
        projects = self.sql.execute(
            "SELECT projects.name, min(content_hash) FROM projects JOIN jobs ON project = projects.id"
            " JOIN labellings ON job = jobs.id WHERE held_out IS NULL GROUP BY projects.id"
        )
        return dict(projects.fetchall())

    def _settle(self) -> None:
        if not self._undecided():
            return
        with self.transaction() as sql:
            fate = split.held_out(self._decided(), self._undecided())
            new = [(flag, name) for name, flag in fate.items()]
            sql.executemany("UPDATE projects SET held_out = ? WHERE name = ?", new)


def _sound_numbers(array: NDArray[Any]) -> bool:
    """Whether pictures are finite; a feature may be NaN, which says unknown, and not infinite."""
    if array.dtype == np.float16:  # by its exponent: ten times as fast as `isfinite`
        return bool((array.view(np.uint16) & _EXPONENT).max(initial=0) < _EXPONENT)
    return not np.isinf(array).any()


def _check_length(labelling: Labelling, n: int) -> None:
    if len(labelling.values) != n:
        raise InputError(
            labelling.source, "labels", f"{len(labelling.values)} for {n} classes", "give one per class"
        )
