"""One site alone: fine-tune a model on its own labels, and keep it only when it is better at home."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import TrainingError
from cryofed.learning.calibrate import FEWEST as FEWEST_TO_FIT
from cryofed.learning.calibrate import fit_of, judged_scores
from cryofed.learning.learner import TrainingSettings, train
from cryofed.learning.metrics import auc, brier
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.carried import Fits, carried

EPOCHS = 8
STEPS = (50, 3000)  # least and most, whatever the library's size
# Shares of the trained weights; the rest are those that training began with. A hundred labels of one molecule
# move the level of all others: the whole change lost good classes of molecules that a laboratory does not
# have, a quarter of it helped both (docs/model.md).
SHARES = (0.25, 0.5, 1.0)
FEWEST = 50  # labelled averages to train on; fewer teach a network nothing that carries over
CALIBRATION_SHARE = 0.15  # of the training jobs, kept from training to learn what a score means here
LESS_BRIER = 0.01  # share by which the error must fall to be worth a new model
WORSE_AUC = 0.005  # by which the order may get worse, as two seeds of one training differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How a model does on one held-out project; AUC is NaN where all classes are of one kind."""

    project: int
    examples: int
    auc: float
    brier: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A model fine-tuned on one site, beside the one that it started from, on the held-out projects.

    `share` of the trained weights and the rest of those that it started from make the new ones.
    """

    vector: Vector
    calibration: Calibration
    steps: int
    examples: int
    before: tuple[Quality, ...]
    after: tuple[Quality, ...]
    share: float = 1.0

    @property
    def better(self) -> bool:
        """The squared error falls, project by project alike, and the order of classes does not suffer."""
        less_error = mean_brier(self.after) <= (1 - LESS_BRIER) * mean_brier(self.before)
        before, after = mean_auc(self.before), mean_auc(self.after)
        return less_error and bool(np.isnan(before) or after >= before - WORSE_AUC)


def fine_tune(
    vector: Vector,
    calibration: Calibration,
    training: Labelled,
    held_out: Labelled,
    seed: int,
    *,
    epochs: int = EPOCHS,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> LocalModel:
    """Train from `vector` on the site's own labels and compare both on the held-out projects.

    Some of the training jobs only serve to choose the share of `SHARES` that is taken, and to learn what a
    score means at this site; where there are too few jobs for that, the smallest share is taken.
    `progress(step, steps)` is called after each step.

    Raises:
        TrainingError: there are too few labels, labels of one kind only, or no held-out project.
    """
    _check(training, held_out)
    learn, fit = _calibration_jobs(training, seed)
    settings = TrainingSettings(
        steps=int(np.clip(epochs * len(learn) / 64, *STEPS)), learning_rate=3e-4, one_cycle=True
    )

    def tell(step: int, _loss: float) -> None:
        if progress:
            progress(step, settings.steps)

    trained = train(vector, learn, settings, seed, device=device, progress=tell)
    share, new, fitted = _share(vector, trained.vector, fit, calibration)
    return LocalModel(
        vector=new,
        calibration=fitted,
        steps=trained.steps,
        examples=trained.examples,
        before=quality(vector, calibration, held_out),
        after=quality(new, fitted, held_out),
        share=share,
    )


def quality(vector: Vector, calibration: Calibration, labelled: Labelled) -> tuple[Quality, ...]:
    """How a model does on each project of a set, each class judged in its job."""
    scores = judged_scores(vector, labelled, calibration)
    return tuple(
        Quality(
            project=int(project),
            examples=int(mine.sum()),
            auc=auc(scores[mine], labelled.good[mine]),
            brier=brier(scores[mine], labelled.good[mine]),
        )
        for project in np.unique(labelled.project)
        for mine in [labelled.project == project]
    )


def mean_auc(projects: tuple[Quality, ...]) -> float:
    """Mean over the projects that have classes of both kinds, NaN where none has."""
    known = [p.auc for p in projects if not np.isnan(p.auc)]
    return float(np.mean(known)) if known else float("nan")


def mean_brier(projects: tuple[Quality, ...]) -> float:
    """Mean over projects of the squared distance of score from yes or no."""
    return float(np.mean([p.brier for p in projects]))


def _check(training: Labelled, held_out: Labelled) -> None:
    if not len(held_out):
        raise TrainingError("no held-out project to compare on; harvest at least two projects")
    good = int(training.good.sum())
    if len(training) < FEWEST or good in (0, len(training)):
        found = f"{good} good and {len(training) - good} other labelled averages to train on"
        raise TrainingError(f"{found}; {FEWEST} or more of both kinds are needed, harvest more projects")


def _calibration_jobs(training: Labelled, seed: int) -> tuple[Labelled, Labelled]:
    """The jobs to train on, and those that fit the calibration: none where there are under five."""
    jobs = np.random.default_rng(seed).permutation(np.unique(training.job))
    chosen: NDArray[np.bool_] = np.isin(
        training.job, jobs[: round(CALIBRATION_SHARE * len(jobs)) if len(jobs) > 4 else 0]
    )
    return training.take(~chosen), training.take(chosen)


def _share(
    begun: Vector, trained: Vector, fit: Labelled, calibration: Calibration
) -> tuple[float, Vector, Calibration]:
    """The share of least squared error on jobs that were not trained on, its weights and its calibration."""

    def mixed(share: float) -> Vector:
        mean: Vector = np.float32(share) * trained + np.float32(1 - share) * begun
        return mean

    if not len(fit):
        return SHARES[0], mixed(SHARES[0]), calibration
    good = int(fit.good.sum())
    fits = min(good, len(fit) - good) >= FEWEST_TO_FIT
    earlier = fit_of(begun, fit, calibration) if fits else None
    tried = []
    for share in SHARES:
        later = [Fits(earlier, fit_of(mixed(share), fit, calibration))] if earlier else []
        means = carried(calibration, later)
        tried.append((mean_brier(quality(mixed(share), means, fit)), share, means))
    _, share, means = min(tried, key=lambda one: one[:2])
    return share, mixed(share), means
