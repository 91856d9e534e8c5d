"""Stored jobs as arrays to train on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cryofed.library.labelled import Labelled
from cryofed.library.labels import combined
from cryofed.library.rows import StoredJob
from cryofed.scoring.features import FEATURES

T = TypeVar("T", bound=np.generic)


def gather(
    jobs: list[StoredJob],
    side: int,
    images: Callable[[int], NDArray[np.float16]],
    features: Callable[[int], NDArray[np.float32]],
) -> Labelled:
    """The usable labels of jobs, with what `images` and `features` give for a job's number.

    Each array is filled in place, job by job: memory holds the result and one job.
    """
    said = [meaning(job) for job in jobs]
    kept = [int(known.sum()) for known, *_ in said]
    shown = np.empty((sum(kept), side, side), np.float16)
    table = np.empty((sum(kept), len(FEATURES)), np.float32)
    last = 0
    for job, (known, *_), n in zip(jobs, said, kept, strict=True):
        first, last = last, last + n
        np.compress(known, images(job.job_id), axis=0, out=shown[first:last])
        np.compress(known, features(job.job_id), axis=0, out=table[first:last])
    numbers = {name: index for index, name in enumerate(sorted({job.project for job in jobs}))}
    return Labelled(
        images=shown,
        features=table,
        target=_joined([target[known] for known, target, _, _ in said], np.float32),
        good=_joined([good[known] for known, _, good, _ in said], np.bool_),
        reason=_joined([reason[known] for known, _, _, reason in said], np.int8),
        job=np.repeat(np.arange(len(jobs)), kept),
        project=np.repeat(np.array([numbers[job.project] for job in jobs], np.int64), kept),
    )


def meaning(
    job: StoredJob,
) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.bool_], NDArray[np.int8]]:
    """Which classes of a job have a usable label, and all targets, yes or no, and reasons, `(n,)` each."""
    target, good, reason = combined(job.labellings, job.classes.resolution_angstrom)
    return np.isfinite(target) & (job.classes.particles != 0), target, good, reason


def _joined(parts: list[NDArray[T]], dtype: type[T]) -> NDArray[T]:
    return np.concatenate([np.zeros(0, dtype), *parts])
