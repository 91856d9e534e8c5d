"""The shapes of other programs under the same protocol: all sets of a molecule are left out together.

Each network first learns from simulated averages and RELION's jobs, once; from there it goes on, once for
each molecule, with real averages of the other molecules beside them. Its answers become probabilities by a
slope and an offset fitted on the sets of the other molecules, each scored by a network that had not seen it.
What has been trained is kept, and a run that was stopped goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.baselines import simple_features
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
from benchmarks.real.material import Material
from benchmarks.real.sets import RealSet, may_train, molecules
from benchmarks.real.table import Answer
from cryofed.jobs.job import ClassJob
from cryofed.scoring.calibration import fit_platt, sigmoid
from cryofed.scoring.scorer import scorable
from cryofed.selection.policy import Policy, job_cut

PAIRWISE = "pairwise-logistic"
SIDE = 64  # pixels to which CryoSift's picture is enlarged
NETWORKS = {"relion-shape": RELION, "cryosift-shape": cryosift(SIDE)}
GENTLER = 0.5  # of the learning rate, when a network goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How long the networks learn; a third more steps follow each part while the rate falls."""

    steps: int  # of 64 averages, from simulation and RELION's jobs
    further: int  # with the real averages of other molecules, for each molecule
    seed: int = 1


def judge_peers(
    sets: Sequence[RealSet], material: Material, course: Course, cache: Path, say: Callable[[str], None]
) -> Iterator[tuple[str, dict[str, Answer]]]:
    """Each peer's answers to every set, none from a network that saw the set's molecule."""
    yield PAIRWISE, calibrated(sets, left_out(sets, lambda known: _pairwise(known, material, course)))
    for name, peer in NETWORKS.items():

        def trained(known: Sequence[RealSet], peer: Peer = peer) -> Scorer:
            say(f"{peer.name}: with {', '.join(of.name for of in known)}")
            return _network(peer, known, material, course, cache)

        yield name, calibrated(sets, left_out(sets, trained))


def calibrated(sets: Sequence[RealSet], raw: Mapping[str, NDArray[np.float64]]) -> dict[str, Answer]:
    """Probabilities and the default policy's decisions, by the other molecules' slope and offset."""
    answers = {}
    for molecule, group in molecules(sets).items():
        others = [of for of in sets if of.molecule != molecule]
        usable = [of.counted & np.isfinite(raw[of.name]) for of in others]
        platt = fit_platt(
            np.concatenate([raw[of.name][use] for of, use in zip(others, usable, strict=True)]),
            np.concatenate([of.good[use] for of, use in zip(others, usable, strict=True)]),
        )
        for of in group:
            score = sigmoid(platt.slope * raw[of.name] + platt.offset)
            answers[of.name] = Answer(score=score, kept=score >= job_cut(score, Policy()))
    return answers


def left_out(
    sets: Sequence[RealSet], train: Callable[[Sequence[RealSet]], Scorer]
) -> dict[str, NDArray[np.float64]]:
    """Raw answers by set; molecules that leave the same sets to train on share one training."""
    trained: dict[tuple[str, ...], Scorer] = {}
    raw = {}
    for molecule, group in molecules(sets).items():
        known = may_train(sets, molecule)
        names = tuple(of.name for of in known)
        if names not in trained:
            trained[names] = train(known)
        for of in group:
            raw[of.name] = trained[names](of.job)
    return raw


def _pairwise(known: Sequence[RealSet], material: Material, course: Course) -> Scorer:
    weights = pairwise_weights(material.beside(known), course.seed)

    def score(job: ClassJob) -> NDArray[np.float64]:
        return np.where(scorable(job), (simple_features(job) @ weights).astype(np.float64), np.nan)

    return score


def _network(peer: Peer, known: Sequence[RealSet], material: Material, course: Course, cache: Path) -> Scorer:
    training, validation = material.training, material.left_out
    begin = Recipe(level=course.steps, seed=course.seed, patience=10**6)
    # One validation, at the end: simulated molecules must not choose among networks that turn to real ones.
    rate = begin.learning_rate * GENTLER
    go_on = Recipe(level=course.further, seed=course.seed, every=10**6, learning_rate=rate)
    names = hashlib.sha256("\n".join(of.name for of in known).encode()).hexdigest()[:12]
    stem = f"{peer.table}-{course.seed}-{course.steps}"
    model = fresh(peer, training, course.seed)
    teach(peer, model, training, validation, recipe=begin, path=cache / f"{stem}.pt")
    further = cache / f"{stem}-{course.further}-{names}.pt"
    teach(peer, model, material.beside(known), validation, recipe=go_on, path=further)
    return raw_scorer(model, peer.measure)
