"""Fit the calibration of a trained network on jobs that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from cryofed.jobs.job import Images
from cryofed.learning.augment import middle, normalized
from cryofed.learning.learner import network, plain_logits
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.library.pictures import prepare_again
from cryofed.scoring.calibration import Calibration, Numbers, fit_platt
from cryofed.scoring.in_job import USUAL, Jobs, log_likelihood
from cryofed.scoring.looks import Looks, looks
from cryofed.scoring.network import Network
from cryofed.scoring.scorer import LOOKED, VIEWS, turned
from cryofed.scoring.sharpness import WEIGHT, beside_job, sharpness

FEWEST = 20  # good averages, and as many bad ones, that fitting two numbers needs
FEWEST_JOBS = 8


@dataclass(frozen=True, slots=True)
class Answered:
    """What a network says of one job's n classes over the scorer's views, and which are good."""

    logits: Numbers  # (n,)
    sharper: Numbers  # (n,) than the job's median, as `beside_job` has it
    good: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class InJob:
    """The n labelled averages of one job, in one plain view: their rows, logits, looks and labels."""

    rows: NDArray[np.int64]
    logits: Numbers
    looks: Looks
    good: NDArray[np.bool_]


def answers(vector: Vector, labelled: Labelled) -> Iterator[Answered]:
    """The network's answers job by job, over the scorer's own views."""
    model = network(vector).eval()
    for job in np.unique(labelled.job):
        part = labelled.take(labelled.job == job)
        features = torch.from_numpy(part.features)
        views = [_seen_as(part, number) for number in range(len(VIEWS))]
        with torch.inference_mode():
            logits = torch.stack([model(torch.from_numpy(view), features)[:, 0] for view in views]).mean(0)
        yield Answered(logits.double().numpy(), beside_job(sharpness(views[LOOKED])), part.good)


def looks_of(labelled: Labelled) -> Looks:
    """The looks of averages in the view whose looks count."""
    return looks(_seen_as(labelled, LOOKED))


def pooled_over_views(model: Network, labelled: Labelled) -> Numbers:
    """`(n, POOLED)` numbers of the trunk, means over the scorer's views, as `Scores.pooled` has them."""
    with torch.inference_mode():
        views = [model.pooled(torch.from_numpy(_seen_as(labelled, number))) for number in range(len(VIEWS))]
    mean: Numbers = torch.stack(views).mean(0).double().numpy()
    return mean


def _seen_as(labelled: Labelled, number: int) -> Images:
    """`(n, 64, 64)` averages in one of the scorer's views."""
    crop, turns, mirrored = VIEWS[number]
    return turned(prepare_again(labelled.images.astype(np.float16), crop), turns, mirrored)


def in_jobs(vector: Vector, labelled: Labelled, device: str = "cpu") -> Iterator[InJob]:
    """Labelled averages job by job, in one plain view."""
    logits = plain_logits(vector, labelled, device)
    for job in np.unique(labelled.job):
        rows = np.flatnonzero(labelled.job == job)
        images = torch.from_numpy(labelled.images[rows].astype(np.float32))
        looked = looks(normalized(middle(images)).numpy())
        yield InJob(rows, logits[rows], looked, labelled.good[rows])


def seen_logits(vector: Vector, labelled: Labelled, calibration: Calibration, device: str = "cpu") -> Numbers:
    """`(n,)` logits of labelled averages in one plain view, each as it is seen beside its job."""
    if not calibration.sharpness:
        return plain_logits(vector, labelled, device)
    seen = np.zeros(len(labelled))
    for job in in_jobs(vector, labelled, device):
        seen[job.rows] = calibration.seen(job.logits, job.looks.sharp)
    return seen


def judged_scores(
    vector: Vector, labelled: Labelled, calibration: Calibration, device: str = "cpu"
) -> Numbers:
    """`(n,)` probabilities of averages in one plain view, each judged in its job as `select` does."""
    scores = np.zeros(len(labelled))
    for job in in_jobs(vector, labelled, device):
        scores[job.rows] = calibration.probabilities(job.logits, job.looks)
    return scores


def fit_of(
    vector: Vector, labelled: Labelled, calibration: Calibration, device: str = "cpu"
) -> tuple[float, float]:
    """Slope and offset of a model's logits on labelled averages, as they are seen beside their jobs."""
    fitted = fit_platt(seen_logits(vector, labelled, calibration, device), labelled.good)
    return fitted.slope, fitted.offset


def fit_calibration(jobs: Iterable[Answered], weight: float = WEIGHT) -> Calibration:
    """Slope and offset over all classes of the jobs; a job counts by the root of its classes.

    So a hundred classes of one molecule do not outvote twenty of another, and are worth more all the same.
    `weight`: of sharpness beside the job. How jobs differ is left as usual: see `with_jobs`.
    """
    parts = list(jobs)
    seen = np.concatenate([part.logits + weight * part.sharper for part in parts])
    good = np.concatenate([part.good for part in parts])
    weights = np.concatenate([np.full(len(part.good), len(part.good) ** -0.5) for part in parts])
    return replace(fit_platt(seen, good, weights), sharpness=weight)


def with_jobs(calibration: Calibration, jobs: Iterable[Answered]) -> Calibration:
    """The same, with how these jobs differ. Give real ones: simulated ones resemble each other too much."""
    labelled = [
        (
            calibration.slope * (part.logits + calibration.sharpness * part.sharper) + calibration.offset,
            part.good,
        )
        for part in jobs
    ]
    return replace(calibration, jobs=fit_jobs(labelled))


def fit_jobs(labelled: Sequence[tuple[Numbers, NDArray[np.bool_]]]) -> Jobs:
    """How jobs differ, of greatest likelihood, from the calibrated logits and labels of each job.

    Good classes lie above bad ones, so that the order of a job's scores is that of its logits. Where fewer
    than `FEWEST_JOBS` have classes of both kinds there is too little to fit: the usual numbers.
    """
    if sum(0 < good.sum() < len(good) for _, good in labelled) < FEWEST_JOBS:
        return USUAL

    def jobs(numbers: Numbers) -> Jobs:
        bad, (gap, spread, between) = float(numbers[0]), np.exp(numbers[1:]).tolist()
        return Jobs(bad=bad, good=bad + gap, spread=spread, between=between)

    found = minimize(
        lambda numbers: -sum(log_likelihood(*one, jobs(numbers)) for one in labelled),
        [USUAL.bad, *np.log([USUAL.good - USUAL.bad, USUAL.spread, USUAL.between])],
        method="Nelder-Mead",
    )
    return jobs(found.x)
