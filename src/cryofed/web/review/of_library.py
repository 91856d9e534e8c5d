"""The library's own averages become a gallery: those in which model and labels differ most come first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError
from cryofed.library.labels import Labelling
from cryofed.library.reading import meaning
from cryofed.library.rows import StoredJob
from cryofed.library.store import Library
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.prepare import SIDE
from cryofed.scoring.scorer import SHIPPED, Model, open_model, score_prepared
from cryofed.web.review.gallery import Gallery
from cryofed.web.review.of_job import Progress, review_labelling
from cryofed.web.review.routes import Decision, Saving

THRESHOLD = 0.5
LABELLED = {True: "labelled good", False: "labelled bad"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The classes of one stored job that are shown: their rows, scores and labels, `(k,)` each."""

    job: StoredJob
    rows: NDArray[np.int64]
    score: NDArray[np.float64]
    label: NDArray[np.float64]  # 1, 0 or NaN


def open_library_review(
    path: Path, *, limit: int, model: Path | None, say: Progress
) -> tuple[Gallery, Saving]:
    """The `limit` classes of a library whose labels deserve another look."""
    opened = open_model(model or SHIPPED, "cpu")
    with Library(path) as library:
        jobs = library.jobs()
        shown = worst([_scored(library, job, opened, say) for job in jobs], limit)
        if not shown:
            raise InputError(path, "library", "no class averages", "harvest into it first")
        images = np.concatenate([library.images(c.job.job_id)[c.rows] for c in shown]).astype(np.float32)
    averages = sum(len(job.classes) for job in jobs)
    return _gallery(path, shown, images, averages, opened.calibration), _saving(path, shown)


def worst(candidates: list[Candidate], limit: int) -> list[Candidate]:
    """The rows with the largest difference between label and score, unlabelled by their uncertainty."""
    if not candidates:
        return []
    score = np.concatenate([c.score for c in candidates])
    label = np.concatenate([c.label for c in candidates])
    # an unlabelled class is at most as urgent as a label that is one half off
    urgency = np.where(np.isfinite(label), np.abs(label - score), 0.5 - np.abs(score - 0.5))
    chosen = np.zeros(len(urgency), bool)
    chosen[np.argsort(-np.nan_to_num(urgency, nan=-1), kind="stable")[:limit]] = True
    parts, first = [], 0
    for c in candidates:
        keep = chosen[first : first + len(c.rows)]
        first += len(c.rows)
        if keep.any():
            parts.append(Candidate(job=c.job, rows=c.rows[keep], score=c.score[keep], label=c.label[keep]))
    return parts


def _scored(library: Library, job: StoredJob, model: Model, say: Progress) -> Candidate:
    say(f"scoring {job.name}")
    rows = np.flatnonzero(job.classes.particles != 0)
    images, numbers = library.images(job.job_id)[rows].astype(np.float32), library.features(job.job_id)[rows]
    score = np.zeros(0)
    if len(rows):
        score = score_prepared(model, images, numbers)
    known, _, good, _ = meaning(job)
    return Candidate(job=job, rows=rows, score=score, label=np.where(known, good, np.nan)[rows])


def _gallery(
    path: Path, shown: list[Candidate], images: NDArray[np.float32], averages: int, scale: Calibration
) -> Gallery:
    def joined(name: str) -> NDArray[np.float64]:
        return np.concatenate([getattr(c.job.classes, name)[c.rows] for c in shown])

    score = np.concatenate([c.score for c in shown])
    label = np.concatenate([c.label for c in shown])
    n, labelled = len(score), np.isfinite(label)
    return Gallery(
        title=path.name,
        detail=f"{n:,} of {averages:,} averages · {len(shown):,} jobs · where model and labels differ most",
        averages=images,
        radius_px=SIDE / 2,
        pixel_size_angstrom=None,  # differs from job to job
        number=np.arange(1, n + 1),  # class numbers repeat from job to job
        particles=joined("particles").astype(np.int64),
        resolution_angstrom=joined("resolution_angstrom"),
        score=score,
        unsure=scale.is_unsure(score),
        reason=("",) * n,
        view=np.zeros(n, np.int64),
        label=label,
        start=np.where(labelled, label >= 0.5, score >= THRESHOLD),
        pinned=tuple(LABELLED[bool(v >= 0.5)] if k else "" for v, k in zip(label, labelled, strict=True)),
        threshold=THRESHOLD,
        sort="disagreement",
        source=tuple(f"{c.job.name} #{c.job.classes.number[r]}" for c in shown for r in c.rows),
    )


def _saving(path: Path, shown: list[Candidate]) -> Saving:
    def save(decision: Decision) -> list[str]:
        whole = review_labelling(decision)
        said, first = 0, 0
        with Library(path) as library:
            for c in shown:
                part = slice(first, first + len(c.rows))
                first += len(c.rows)
                if np.isfinite(whole.values[part]).any():
                    library.label(c.job.job_id, _of_job(whole, part, c))
                    said += int(np.isfinite(whole.values[part]).sum())
        return [f"{said} labels in {path}"]

    return Saving(files="", library=str(path), save=save)


def _of_job(whole: Labelling, part: slice, candidate: Candidate) -> Labelling:
    n = len(candidate.job.classes)
    values, reasons = np.full(n, np.nan, np.float32), np.full(n, -1, np.int8)
    values[candidate.rows] = whole.values[part]
    if whole.reasons is not None:
        reasons[candidate.rows] = whole.reasons[part]
    return Labelling(
        habit=whole.habit,
        values=values,
        source=whole.source,
        made_at=whole.made_at,
        review=True,
        reasons=reasons,
    )
