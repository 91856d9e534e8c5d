"""What a score means in a model that was trained on from a start; decisions at the default cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.real.folds import fold_of
from benchmarks.real.ours import Told, calibration_of, seen_of
from benchmarks.real.sets import RealSet
from benchmarks.real.table import Answer
from cryofed.learning.vector import Vector
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.in_job import USUAL, in_job
from cryofed.scoring.looks import Looks
from cryofed.selection.policy import Policy

Levels = Mapping[str, tuple[Calibration, Looks]]


def levels(sets: Sequence[RealSet], start: Vector) -> Levels:
    """What the start's logits mean, and the looks, by set: the calibration of a release of these sites.

    It is fitted to the sets of other molecules. No site here holds out enough averages to say how far its
    training moved the logits, so that releases keep it.
    """
    told = []
    for one in sets:
        logits, looked = seen_of(start, one.job)
        told.append(
            Told(
                kind="real", name=one.name, fold="start", kin=fold_of(one.molecule), job=one.job,
                good=one.good, counted=one.counted, particles=np.ones(len(one)), logits=logits, looks=looked,
            )
        )  # fmt: skip
    return {one.name: (calibration_of(told, one), one.looks) for one in told}


def decided(
    sets: Sequence[RealSet], logits: Mapping[str, NDArray[np.float64]], level: Levels
) -> dict[str, Answer]:
    """The product's scores, and its decisions at the default cut."""
    answers = {}
    for one in sets:
        fitted, looked = level[one.name]
        known = np.isfinite(logits[one.name])
        score = np.full(len(known), np.nan)
        # These logits have sharpness in them, as `logits_of` gives them.
        seen = fitted.slope * logits[one.name][known] + fitted.offset
        clear = Looks(looked.sharp[known], looked.flat[known]).clear
        score[known] = in_job(seen, fitted.jobs or USUAL, clear).good
        answers[one.name] = Answer(score=score, kept=score >= Policy().threshold)
    return answers
