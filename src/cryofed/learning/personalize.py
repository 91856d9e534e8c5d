"""A site's own finish of the common model: its weights where they help, and its calibration; kept at home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import TrainingError
from cryofed.learning.calibrate import FEWEST, fit_of, seen_logits
from cryofed.learning.learner import TrainingSettings, layout, train
from cryofed.learning.metrics import auc
from cryofed.learning.own_level import own_level
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.carried import Fits, carried

HEAD = "head."


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """What a site uses instead of the release; nothing of it travels."""

    kind: str  # the candidate that was taken
    vector: Vector
    calibration: Calibration
    auc: Mapping[str, float]  # of every candidate, on the averages that chose


def candidates(
    common: Vector,
    own: Vector,
    fit: Labelled,
    settings: TrainingSettings,
    seed: int,
    *,
    device: str = "cpu",
) -> dict[str, Vector]:
    """Models that a site can use, first the one that is used unless another is better.

    `own` is the site's own. `quarter`, `half` and `three quarters` have so much of the release's weights
    and the rest of the site's own (Wortsman 2022, model soups): both began from one model, so their mean is
    a model too, and mostly better at the site than either. `common` is the release. `head` is its trunk and
    a head that was trained at the site (Arivazhagan 2019, FedPer).

    Args:
        common: the release.
        own: what the site trained alone, from the model that the release's campaign began with.
        fit: the site's averages to train the head on.
        settings: of the head's training; a few dozen steps.
        seed: of its batches.
        device: where the head is trained.
    """

    def mixed(share: float) -> Vector:
        mean: Vector = np.float32(share) * common + np.float32(1 - share) * own
        return mean

    head = with_own_head(common, fit, settings, seed, device=device)
    shares = {"quarter": 0.25, "half": 0.5, "three quarters": 0.75}
    return {"own": own, **{name: mixed(s) for name, s in shares.items()}, "common": common, "head": head}


def with_own_head(
    vector: Vector, labelled: Labelled, settings: TrainingSettings, seed: int, *, device: str = "cpu"
) -> Vector:
    """The common trunk and the site's head.

    Trunk and head train together, then the trunk is put back: with few steps they stay close.
    """
    trained = train(vector, labelled, settings, seed, device=device).vector
    return np.where(layout().span(HEAD), trained, vector)


def personalize(
    models: Mapping[str, Vector], judge: Labelled, release: Calibration | None = None
) -> Personal:
    """The model that is surely best at the site, or the first, and what its scores mean at the site.

    Args:
        models: by name; the first is what is used where nothing is surely better, and `common` is the
            release.
        judge: averages of the site that no model was trained on. Report on others: these chose.
        release: its calibration. The chosen model's scores mean the same, or what the site's own labels say
            they mean: see `own_level`.

    Raises:
        TrainingError: too few good or bad averages to choose by.
    """
    release = release or Calibration()
    kind, found = surely_best(models, judge, release)
    fits = Fits(*(fit_of(models[name], judge, release) for name in ("common", kind)))
    return Personal(
        kind=kind,
        vector=models[kind],
        calibration=own_level(models[kind], judge, carried(release, [fits])),
        auc=found,
    )


def surely_best(
    models: Mapping[str, Vector], judge: Labelled, release: Calibration
) -> tuple[str, dict[str, float]]:
    """Name of the model that is surely best, or of the first; AUC of each.

    Surely best is by the gain in AUC over the first, less its standard error over the site's jobs (as the
    rule of one standard error: Breiman 1984, section 3.4.3): with a dozen jobs the best of several is else
    more often luck than worth. The first stays where no other's gain exceeds its error.

    Raises:
        TrainingError: too few good or bad averages to choose by.
    """
    enough(judge)
    seen = {name: seen_logits(vector, judge, release) for name, vector in models.items()}
    first = next(iter(models))
    gains = {name: gain(scores, seen[first], judge) for name, scores in seen.items()}
    sure = {name: more - error for name, (more, error) in gains.items() if name != first}
    kind = max(sure, key=sure.__getitem__, default=first)
    kind = kind if sure.get(kind, 0.0) > 0 else first
    return kind, {name: auc(scores, judge.good) for name, scores in seen.items()}


def gain(scores: NDArray[Any], other: NDArray[Any], labelled: Labelled) -> tuple[float, float]:
    """How much greater the AUC of `scores` is than that of `other`, and its standard error over jobs.

    The error is the jackknife's, leaving out one job at a time: averages of one job are not independent.
    It is infinite for a single job.
    """

    def difference(rows: NDArray[np.bool_]) -> float:
        return auc(scores[rows], labelled.good[rows]) - auc(other[rows], labelled.good[rows])

    jobs = np.unique(labelled.job)
    whole = difference(np.ones(len(labelled), np.bool_))
    if len(jobs) < 2:
        return whole, float("inf")
    left = np.array([difference(labelled.job != job) for job in jobs])
    error = np.sqrt((len(jobs) - 1) / len(jobs) * np.square(left - left.mean()).sum())
    return whole, float(error)


def two_halves(labelled: Labelled) -> tuple[Labelled, Labelled]:
    """Held-out averages by jobs in turn, largest first: one half chooses, the other tells what it is worth.

    No job is cut. Where half of them are too few to choose by, all choose and the second half is empty.

    Raises:
        TrainingError: all are too few.
    """
    enough(labelled)
    jobs, sizes = np.unique(labelled.job, return_counts=True)
    chooses = np.isin(labelled.job, jobs[np.argsort(-sizes, kind="stable")][::2])
    good = int(labelled.good[chooses].sum())
    if min(good, int(chooses.sum()) - good) < FEWEST:
        chooses = np.ones(len(labelled), np.bool_)
    return labelled.take(chooses), labelled.take(~chooses)


def enough(labelled: Labelled) -> None:
    """Refuse fewer good or bad averages than two numbers can be fitted to."""
    good = int(labelled.good.sum())
    if min(good, len(labelled) - good) < FEWEST:
        raise TrainingError(
            f"{good} good and {len(labelled) - good} bad averages; a site's own calibration takes "
            f"{FEWEST} of each: label more, or use the common one"
        )
