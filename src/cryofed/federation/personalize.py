"""A site's own finish of the common model: its calibration and its head, kept at home."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import TrainingError
from cryofed.learning.learner import TrainingSettings, evaluate, layout, logits, train
from cryofed.learning.metrics import brier
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import Calibration, fit_platt, sigmoid

FEWEST = 20  # good, and as many bad: below, two numbers are not fitted
HEAD = "head."


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """What a site uses instead of the release; nothing of it travels."""

    vector: Vector
    calibration: Calibration
    own_head: bool  # False where the common head did as well
    brier_common: float  # on the site's averages that no fit saw
    brier_personal: float


def calibrated(vector: Vector, labelled: Labelled, common: Calibration | None = None) -> Calibration:
    """The site's threshold and temperature: a slope and an offset on the logit (Platt 1999).

    Raises:
        TrainingError: too few good or bad averages.
    """
    good = int(labelled.good.sum())
    if min(good, len(labelled) - good) < FEWEST:
        raise TrainingError(
            f"{good} good and {len(labelled) - good} bad averages; a site's own calibration takes "
            f"{FEWEST} of each: label more, or use the common one"
        )
    fitted = fit_platt(logits(vector, labelled)[:, 0].astype(np.float64), labelled.good)
    return replace(fitted, unsure=(common or fitted).unsure)


def site_scores(vector: Vector, calibration: Calibration, labelled: Labelled) -> NDArray[np.float64]:
    """Probabilities `(n,)` by the site's slope and offset."""
    told = logits(vector, labelled)[:, 0].astype(np.float64)
    return sigmoid(calibration.slope * told + calibration.offset)


def with_own_head(vector: Vector, labelled: Labelled, settings: TrainingSettings, seed: int) -> Vector:
    """The common trunk and a head that was trained at the site (Arivazhagan 2019, FedPer).

    Trunk and head train together, then the trunk is put back: with few steps they stay close.
    """
    trained = train(vector, labelled, settings, seed).vector
    return np.where(layout().span(HEAD), trained, vector)


def personalize(
    vector: Vector, fit: Labelled, judge: Labelled, settings: TrainingSettings, seed: int
) -> Personal:
    """The better of common and own head, and the site's calibration of it.

    Args:
        vector: of the release.
        fit: the site's averages to train and calibrate on.
        judge: its held-out averages; they decide whether the own head is kept.
        settings: of the head's training; a few dozen steps.
        seed: of its batches.
    """
    own = with_own_head(vector, fit, settings, seed)
    better = evaluate(own, judge).auc > evaluate(vector, judge).auc
    chosen = own if better else vector
    calibration = calibrated(chosen, fit)
    return Personal(
        vector=chosen,
        calibration=calibration,
        own_head=better,
        brier_common=_brier(vector, Calibration(), judge),
        brier_personal=_brier(chosen, calibration, judge),
    )


def _brier(vector: Vector, calibration: Calibration, labelled: Labelled) -> float:
    return brier(site_scores(vector, calibration, labelled), labelled.good)
