"""Fit the calibration of a trained network on jobs that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cryofed.learning.learner import network
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.library.pictures import prepare_again
from cryofed.scoring.calibration import Calibration, Numbers, fit_platt
from cryofed.scoring.scorer import VIEWS, turned


@dataclass(frozen=True, slots=True)
class Answered:
    """A network's `(n,)` logits of one job's n classes over the scorer's views, and which are good."""

    logits: Numbers
    good: NDArray[np.bool_]


def answers(vector: Vector, labelled: Labelled) -> Iterator[Answered]:
    """The network's answers job by job, over the scorer's own views."""
    model = network(vector).eval()
    for job in np.unique(labelled.job):
        part = labelled.take(labelled.job == job)
        features = torch.from_numpy(part.features)
        views = [
            torch.from_numpy(turned(prepare_again(part.images.astype(np.float16), crop), turns, mirrored))
            for crop, turns, mirrored in VIEWS
        ]
        with torch.inference_mode():
            logits = torch.stack([model(view, features)[:, 0] for view in views]).mean(0)
        yield Answered(logits.double().numpy(), part.good)


def fit_calibration(jobs: Iterable[Answered]) -> Calibration:
    """Slope and offset over all classes of the jobs; a job counts by the root of its classes.

    So a hundred classes of one molecule do not outvote twenty of another, and are worth more all the same.
    """
    parts = list(jobs)
    logits, good = (np.concatenate([getattr(p, name) for p in parts]) for name in ("logits", "good"))
    weights = np.concatenate([np.full(len(p.good), len(p.good) ** -0.5) for p in parts])
    return fit_platt(logits, good, weights)
