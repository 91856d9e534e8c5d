"""What a score means in a model that was trained on from the start, which saw no real average."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.real.folds import fold_of
from benchmarks.real.ours import Told, calibration_of, seen_of
from benchmarks.real.sets import RealSet
from cryofed.learning.vector import Vector
from cryofed.scoring.calibration import Calibration


def levels(sets: Sequence[RealSet], start: Vector) -> dict[str, Calibration]:
    """What the start's logits mean, by set: fitted to the sets of other molecules.

    No laboratory here has jobs enough to say how far its training moved the logits, so that a model that was
    trained on keeps it.
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
    return {one.name: calibration_of(told, one) for one in told}
