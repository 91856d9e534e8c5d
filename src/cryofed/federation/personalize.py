"""A site's own finish of the common model: its weights where they help, and its calibration; kept at home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import TrainingError
from cryofed.learning.calibrate import seen_logits
from cryofed.learning.learner import TrainingSettings, layout, train
from cryofed.learning.metrics import auc
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import Calibration, fit_platt, sigmoid

FEWEST = 20  # good, and as many bad: below, two numbers are not fitted
HEAD = "head."


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """What a site uses instead of the release; nothing of it travels."""

    kind: str  # the candidate that was best
    vector: Vector
    calibration: Calibration
    auc: Mapping[str, float]  # of every candidate, on the averages that chose


def candidates(
    common: Vector, own: Vector, fit: Labelled, settings: TrainingSettings, seed: int
) -> dict[str, Vector]:
    """Models that a site can use, the most common one first.

    `common` is the release. `head` is its trunk and a head that was trained at the site (Arivazhagan 2019,
    FedPer). `half` is the mean of the release's weights and the site's own (Wortsman 2022, model soups):
    both began from one model, so their mean is a model too, and often better than either. `own` is the
    site's own.

    Args:
        common: the release.
        own: what the site trained alone, from the model that the release's campaign began with.
        fit: the site's averages to train the head on.
        settings: of the head's training; a few dozen steps.
        seed: of its batches.
    """
    half: Vector = (common + own) / np.float32(2)
    return {
        "common": common,
        "head": with_own_head(common, fit, settings, seed),
        "half": half,
        "own": own,
    }


def with_own_head(vector: Vector, labelled: Labelled, settings: TrainingSettings, seed: int) -> Vector:
    """The common trunk and the site's head.

    Trunk and head train together, then the trunk is put back: with few steps they stay close.
    """
    trained = train(vector, labelled, settings, seed).vector
    return np.where(layout().span(HEAD), trained, vector)


def personalize(
    models: Mapping[str, Vector], judge: Labelled, calibration: Calibration | None = None
) -> Personal:
    """The candidate with the best AUC, of equals the first, and the site's calibration of it.

    With the site's own model among them the choice is at least as good as that on `judge`, and on other
    averages of the site up to chance.

    Args:
        models: by name; the first is what is used where nothing is better.
        judge: averages of the site that no candidate was trained on. Report on others: these chose.
        calibration: of the release; its context and bounds stay.

    Raises:
        TrainingError: too few good or bad averages to choose by.
    """
    release = calibration or Calibration()
    enough(judge)
    found = {
        name: auc(seen_logits(vector, release.context, judge), judge.good) for name, vector in models.items()
    }
    kind = max(found, key=found.__getitem__)
    fitted = calibrated(models[kind], judge, release)
    return Personal(kind=kind, vector=models[kind], calibration=fitted, auc=found)


def calibrated(vector: Vector, labelled: Labelled, common: Calibration | None = None) -> Calibration:
    """The site's threshold and temperature: a slope and an offset on the logit (Platt 1999).

    Raises:
        TrainingError: too few good or bad averages.
    """
    enough(labelled)
    release = common or Calibration()
    fitted = fit_platt(seen_logits(vector, release.context, labelled), labelled.good)
    return replace(release, slope=fitted.slope, offset=fitted.offset)


def site_scores(vector: Vector, calibration: Calibration, labelled: Labelled) -> NDArray[np.float64]:
    """Probabilities `(n,)` by the site's slope and offset."""
    told = seen_logits(vector, calibration.context, labelled)
    return sigmoid(calibration.slope * told + calibration.offset)


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
