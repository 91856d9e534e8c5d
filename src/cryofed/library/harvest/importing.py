"""Bring past selections into a library, one whole job at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryofed.jobs.job import ClassJob
from cryofed.jobs.opening import open_job
from cryofed.library.harvest.past import Found, Passed, PastSelection, labelling, why
from cryofed.library.labels import Labelling, targets
from cryofed.library.pictures import content_hash
from cryofed.library.rows import StoredJob
from cryofed.library.store import Library

USED, KNOWN, SKIPPED = "used", "known", "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one selection; `reason` says why it was skipped."""

    project: str
    source: Path
    what: str  # as `--json` prints it: used, known (it is in the library already) or skipped
    reason: str = ""
    classes: int = 0  # with a label
    kept: int = 0


def harvest(selections: Iterable[Found], library: Library | None, *, keep: bool = True) -> Iterator[Outcome]:
    """One outcome for each; without a library, or with `keep` off, everything is read and nothing kept.

    A project that shares a classification with one of the library is that project, moved or copied.
    """
    same: dict[str, str] = {}  # project as found: project that holds one of its classifications already
    for one in selections:
        if isinstance(one, Passed):
            yield Outcome(project=one.project, source=one.source, what=SKIPPED, reason=one.reason)
            continue
        try:
            yield _take(one, library, keep, same)
        except sqlite3.Error:
            raise  # the library itself is ill
        except Exception as error:
            # A job of years ago can be broken in ways that no check foresees; the others must go on.
            yield Outcome(project=one.project, source=one.source, what=SKIPPED, reason=why(error))
    if library and keep:
        for project, into in same.items():
            library.unite(project, into)


def _take(past: PastSelection, library: Library | None, keep: bool, same: dict[str, str]) -> Outcome:
    known = Outcome(project=past.project, source=past.source, what=KNOWN)
    if library and library.has_labelling(str(past.source), past.made_at):
        return known
    job = open_job(past.job)
    said = labelling(past, job)
    good, labelled = _counts(said, job.classes.resolution_angstrom)
    if library:
        stored = _stored(library, job)
        if stored and stored.project != past.project:
            same[past.project] = stored.project
        if stored and any(_says_the_same(said, other) for other in stored.labellings):
            return known
        if keep:
            library.add(job, past.project, [said])
    return Outcome(project=past.project, source=past.source, what=USED, classes=labelled, kept=good)


def _stored(library: Library, job: ClassJob) -> StoredJob | None:
    job_id = library.find(content_hash(job))
    return None if job_id is None else library.jobs(job_id)[0]


def _says_the_same(said: Labelling, other: Labelling) -> bool:
    """Whether it is the same Select job, found in another place."""
    same_job = Path(said.source).name == Path(other.source).name and said.habit == other.habit
    return same_job and np.array_equal(said.values, other.values, equal_nan=True)


def _counts(said: Labelling, resolution: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[int, int]:
    target, good = targets(said, resolution)
    return int(good.sum()), int(np.isfinite(target).sum())
