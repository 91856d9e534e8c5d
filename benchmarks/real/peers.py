"""The shapes of other programs under the protocol of our own model: the same folds are left out.

Each network first learns from simulated averages, once; from there it goes on, once for each fold, with
RELION's jobs and real averages of other molecules beside them. Its answers become probabilities by a slope
and an offset fitted on the sets of other folds, each scored by a network that had not seen it. What has been
trained is kept, and a run that was stopped goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from benchmarks.peers.baselines import simple_features
from benchmarks.peers.corpus import Part
from benchmarks.peers.peers import (
    RELION,
    Peer,
    Scorer,
    cryosift,
    fresh,
    pairwise_weights,
    raw_scorer,
    teach,
)
from benchmarks.peers.training import Recipe
from benchmarks.real.folds import FOLDS, fold_of
from benchmarks.real.material import Material
from benchmarks.real.sets import RealSet
from benchmarks.real.table import Answer
from cryofed.jobs.job import ClassJob
from cryofed.learning.calibrate import Answered, fit_calibration
from cryofed.scoring.calibration import sigmoid
from cryofed.scoring.scorer import scorable
from cryofed.selection.policy import Policy

PAIRWISE = "pairwise-logistic"
SIDE = 64  # pixels to which CryoSift's picture is enlarged
NETWORKS = {"relion-shape": RELION, "cryosift-shape": cryosift(SIDE)}
SHAPES = (PAIRWISE, *NETWORKS)
GENTLER = 0.5  # of the learning rate, when a network goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How long the networks learn; a third more steps follow each part while the rate falls."""

    steps: int  # of 64 averages, from simulation alone
    further: int  # with RELION's jobs and real averages beside them, for each fold
    seed: int = 1


def judge_peers(
    sets: Sequence[RealSet],
    material: Material,
    course: Course,
    cache: Path,
    say: Callable[[str], None],
    *,
    shapes: Sequence[str] = SHAPES,
) -> Iterator[tuple[str, dict[str, Answer]]]:
    """Answers to every set of each peer in `shapes`, none from a network that saw the set's molecule."""
    shown = [of for of in sets if of.training]

    def weighted(fold: str) -> Scorer:
        return _pairwise(material.without(FOLDS[fold], shown), course)

    if PAIRWISE in shapes:
        yield PAIRWISE, calibrated(sets, left_out(sets, weighted))
    for name, peer in NETWORKS.items():
        if name not in shapes:
            continue

        def trained(fold: str, peer: Peer = peer) -> Scorer:
            say(f"{peer.name}: fold {fold}")
            model = _started(peer, material, course, cache)
            recipe = _further(course)
            path = cache / f"{_stem(peer, course)}-{course.further}-{fold}.pt"
            rows = material.without(FOLDS[fold], shown)
            teach(peer, model, rows, material.left_out, recipe=recipe, path=path)
            return raw_scorer(model, peer.measure)

        yield name, calibrated(sets, left_out(sets, trained))


def left_out(sets: Sequence[RealSet], train: Callable[[str], Scorer]) -> dict[str, NDArray[np.float64]]:
    """Raw answers by set, each from the training of the fold that leaves its molecule out."""
    folds = {of.name: fold_of(of.molecule) for of in sets}
    scorers = {fold: train(fold) for fold in dict.fromkeys(folds.values())}
    return {of.name: scorers[folds[of.name]](of.job) for of in sets}


def calibrated(sets: Sequence[RealSet], raw: Mapping[str, NDArray[np.float64]]) -> dict[str, Answer]:
    """Probabilities and the default policy's decisions; all that is fitted comes from the other folds.

    What a score means beside its job is left out: it makes the peers' scores no better, since their classes
    of both kinds lie nearer than their jobs do. As with our own model the fold "all" is not left out as one:
    each molecule is fitted without itself.
    """
    answers = {}
    for of in sets:
        fitted = fit_calibration(
            [
                Answered(raw[one.name][use], np.zeros(int(use.sum())), one.good[use])
                for one in sets
                if _apart(one, of) and (use := one.counted & np.isfinite(raw[one.name])).any()
            ],
            weight=0.0,  # what is sharper beside its job is our own number
        )
        score = sigmoid(fitted.slope * raw[of.name] + fitted.offset)
        answers[of.name] = Answer(score=score, kept=score >= Policy().threshold)
    return answers


def _apart(one: RealSet, other: RealSet) -> bool:
    fold = fold_of(other.molecule)
    return one.molecule != other.molecule and (fold == "all" or fold_of(one.molecule) != fold)


def _pairwise(rows: Part, course: Course) -> Scorer:
    weights = pairwise_weights(rows, course.seed)

    def score(job: ClassJob) -> NDArray[np.float64]:
        return np.where(scorable(job), (simple_features(job) @ weights).astype(np.float64), np.nan)

    return score


def _started(peer: Peer, material: Material, course: Course, cache: Path) -> nn.Module:
    model = fresh(peer, material.training, course.seed)
    recipe = Recipe(level=course.steps, seed=course.seed, patience=10**6)
    path = cache / f"{_stem(peer, course)}.pt"
    teach(peer, model, material.training, material.left_out, recipe=recipe, path=path)
    return model


def _further(course: Course) -> Recipe:
    # One validation, at the end: simulated molecules must not choose among networks that turn to real ones.
    rate = Recipe(level=1).learning_rate * GENTLER
    return Recipe(level=course.further, seed=course.seed, every=10**6, learning_rate=rate)


def _stem(peer: Peer, course: Course) -> str:
    return f"{peer.table}-{course.seed}-{course.steps}"
