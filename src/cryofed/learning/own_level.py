"""What a score means at one site: as in the release, or by its own labels where that is surely better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cryofed.learning.calibrate import InJob, in_jobs
from cryofed.learning.metrics import brier
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import Calibration, Numbers, fit_platt


def own_level(vector: Vector, judge: Labelled, common: Calibration) -> Calibration:
    """The calibration of a model at a site whose labelled averages, which it was not trained on, judge.

    The site's own is a slope and an offset on the logit (Platt 1999); each class is judged by itself, for
    the scale of the common calibration's jobs is lost. It is taken where it lowers the squared error of jobs
    that it was not fitted to, by more than the standard error over jobs.
    """
    jobs = list(in_jobs(vector, judge))
    if len(jobs) < 2:
        return common
    gains = []
    for number, job in enumerate(jobs):
        others = jobs[:number] + jobs[number + 1 :]
        gains.append(_error(job, common) - _error(job, _own(others, common)))
    mean, error = float(np.mean(gains)), float(np.std(gains, ddof=1) / len(gains) ** 0.5)
    return _own(jobs, common) if mean > error else common


def _own(jobs: list[InJob], common: Calibration) -> Calibration:
    seen: Numbers = np.concatenate([common.seen(job.logits, job.looks.sharp) for job in jobs])
    fitted = fit_platt(seen, np.concatenate([job.good for job in jobs]))
    return replace(common, slope=fitted.slope, offset=fitted.offset, jobs=None)


def _error(job: InJob, calibration: Calibration) -> float:
    return brier(calibration.probabilities(job.logits, job.looks), job.good)
