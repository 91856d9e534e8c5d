"""What a label means: one pure function per labelling habit turns values into targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError
from cryofed.scoring.reasons import REASONS, UNKNOWN

Floats = NDArray[np.floating]
Target = tuple[NDArray[np.float32], NDArray[np.bool_]]  # in [0, 1], and yes or no

RESOLUTION_SHARE = 0.25  # of RELION's target, given by resolution; class_ranker.cpp
GRADE_RESOLUTION_SHARE = 0.2  # of CryoSift's target
# RELION's GUI colours: 1 red, 2 green, 3 blue, 4 cyan, 5 magenta, 6 yellow; 0 is not selected.
COLOUR_VALUE = {1: 0.75, 5: 0.50, 2: 0.25, 3: 0.0, 4: 0.0}
COLOUR_GOOD = (1, 5)  # those that score at least 0.5, the threshold of RELION's GUI


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """One act of labelling one job: what somebody said of its classes, in their own scale.

    `values` `(n,)` in class order, NaN where nothing was said: `binary` 0 or 1; `relion-colour` 0 to 6;
    `grade` 1 (best) to 5; `score` 0 to 1. `source` says who or which job, `made_at` when (ISO 8601, UTC).
    `reasons` `(n,)` index into REASONS, -1 where unknown. `job_score` in [0, 1] is how good the whole job
    is (RELION colours only). A `review` was made in CryoFed by a person and replaces what came before.
    """

    habit: str
    values: NDArray[np.float32]
    source: str
    made_at: str
    review: bool = False
    job_score: float = 1.0
    reasons: NDArray[np.int8] | None = field(default=None)

    def __post_init__(self) -> None:
        if self.habit not in HABITS:
            raise InputError(self.source, "habit", repr(self.habit), f"use one of {', '.join(HABITS)}")
        known = self.values[np.isfinite(self.values)]
        low, high = HABITS[self.habit].low, HABITS[self.habit].high
        if len(known) and not (known.min() >= low and known.max() <= high):
            found = f"{known.min():g} to {known.max():g}"
            raise InputError(self.source, f"{self.habit} labels", found, f"give {low:g} to {high:g}")
        if not 0 <= self.job_score <= 1:
            raise InputError(self.source, "job score", f"{self.job_score:g}", "give 0 to 1")
        if self.reasons is not None and not ((self.reasons >= UNKNOWN) & (self.reasons < len(REASONS))).all():
            raise InputError(
                self.source, "reasons", "an index of no reason", f"give {UNKNOWN} to {len(REASONS) - 1}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """A scale of values and its meaning."""

    low: float
    high: float
    targets: Callable[[Floats, Floats, float], Target]


def targets(labelling: Labelling, resolution_angstrom: Floats) -> Target:
    """`(n,)` targets in [0, 1], NaN where there is no label, and `(n,)` yes or no.

    `resolution_angstrom` is that of the job's classes; NaN or infinite where unknown.
    """
    known = np.isfinite(labelling.values)
    meaning = HABITS[labelling.habit].targets
    target, good = meaning(labelling.values, resolution_angstrom, labelling.job_score)
    return np.where(known, target, np.nan).astype(np.float32), good & known


def combined(
    labellings: Sequence[Labelling], resolution_angstrom: Floats
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int8]]:
    """Targets, yes or no and reasons of one job, `(n,)` each, from all that was ever said of it.

    Several selections are averaged class by class; good is what at least half of them call good. A review
    replaces everything before it in the classes that it speaks of. The latest reason counts.
    """
    n = len(resolution_angstrom)
    total, yes, count = np.zeros(n), np.zeros(n), np.zeros(n)
    reason = np.full(n, UNKNOWN, np.int8)
    for labelling in sorted(labellings, key=lambda one: one.made_at):
        target, good = targets(labelling, resolution_angstrom)
        known = np.isfinite(target)
        if labelling.review:
            for sums in (total, yes, count):
                sums[known] = 0
            reason[known] = UNKNOWN
        total[known] += target[known]
        yes[known] += good[known]
        count[known] += 1
        if labelling.reasons is not None:
            reason = np.where(labelling.reasons >= 0, labelling.reasons, reason)
    share = np.where(count > 0, 1 / np.maximum(count, 1), np.nan)
    result = yes * share >= 0.5
    return (total * share).astype(np.float32), result, np.where(result, UNKNOWN, reason).astype(np.int8)


def binary(values: Floats, _resolution: Floats, _job_score: float) -> Target:
    """1 keep, 0 reject."""
    return values.astype(np.float32), values >= 0.5


def relion_colour(values: Floats, resolution: Floats, job_score: float) -> Target:
    """`(b + 0.25 w) × job_score` by colour, 0 for yellow and not selected (RELION, class_ranker.cpp)."""
    colour = np.where(np.isfinite(values), values, 0).astype(int)
    base = np.array([COLOUR_VALUE.get(c, 0.0) for c in colour])
    judged = np.isin(colour, list(COLOUR_VALUE))
    share = RESOLUTION_SHARE * _relative_resolution(resolution, colour == 1)
    target = np.where(judged, (base + share) * job_score, 0)
    return target.astype(np.float32), np.isin(colour, COLOUR_GOOD)


def grade(values: Floats, resolution: Floats, _job_score: float) -> Target:
    """`(5 - grade) × 0.2 + 0.2 w`: 1 best, 2 decent, 3 acceptable, 4 bad, 5 unusable (CryoSift)."""
    best = np.nanmin(values) if np.isfinite(values).any() else np.nan
    share = GRADE_RESOLUTION_SHARE * _relative_resolution(resolution, values == best)
    target = (5 - values) * 0.2 + np.where(values < 5, share, 0)
    return np.clip(target, 0, 1).astype(np.float32), values < 3.5  # CryoSift's cut for a first model


def score(values: Floats, _resolution: Floats, _job_score: float) -> Target:
    """A probability or score as it stands."""
    return values.astype(np.float32), values >= 0.5


def _relative_resolution(resolution: Floats, best: NDArray[np.bool_]) -> NDArray[np.float64]:
    """`(best resolution / resolution)²` in [0, 1]; 0 where unknown or where no class is best."""
    known = np.isfinite(resolution) & (resolution > 0)
    if not (known & best).any():
        return np.zeros(len(resolution))
    least = resolution[known & best].min()
    return np.where(known, np.minimum(1, (least / np.where(known, resolution, 1)) ** 2), 0)


HABITS = {
    "binary": Habit(low=0, high=1, targets=binary),
    "relion-colour": Habit(low=0, high=6, targets=relion_colour),
    "grade": Habit(low=1, high=5, targets=grade),
    "score": Habit(low=0, high=1, targets=score),
}
