"""The peers' networks and weights under one recipe; `benchmarks.real.peers` trains and judges them.

Both networks see the same augmented views; a class's table is hidden from half of the views, since real sets
come without one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.peers.baselines import cryosift_features, relion_features
from benchmarks.peers.corpus import Part
from benchmarks.peers.shapes import CryoSiftShape, RelionShape, Scaled, scale_of
from benchmarks.peers.training import Learnt, Lesson, Recipe, learn
from cryofed.jobs.job import ClassJob
from cryofed.learning.augment import augmented
from cryofed.learning.learner import AUGMENTATION
from cryofed.library.labelled import Labelled
from cryofed.library.pictures import prepare_again
from cryofed.scoring.calibration import sigmoid
from cryofed.scoring.prepare import prepare_crops
from cryofed.scoring.scorer import VIEWS, scorable, turned

Scorer = Callable[[ClassJob], NDArray[np.float64]]  # a job to (n,) scores, NaN where not scored
Measure = Callable[[ClassJob], NDArray[np.float32]]  # a job to (n, F) features
HIDDEN = 0.5  # share of the views whose table is hidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A network, what it measures of a job, and how many of the first numbers stand in the job's table."""

    name: str
    table: str  # in the corpus
    measure: Measure
    of_table: int
    make: Callable[[Scaled], nn.Module]


RELION = Peer(name="RELION's shape", table="relion", measure=relion_features, of_table=4, make=RelionShape)


def cryosift(side: int) -> Peer:
    """CryoSift's shape with its picture enlarged to `side`."""
    return Peer(
        name="CryoSift's shape", table="cryosift", measure=cryosift_features, of_table=3,
        make=lambda scale: CryoSiftShape(scale, side),
    )  # fmt: skip


def fresh(peer: Peer, training: Part, seed: int) -> nn.Module:
    """The peer's network before training, its features scaled to the training corpus."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return peer.make(scale_of(torch.from_numpy(training.tables[peer.table])))


def teach(
    peer: Peer, model: nn.Module, training: Part, left_out: Part, *, recipe: Recipe, path: Path
) -> Learnt:
    """Squared error of the graded target, as both peers train; `model` then holds the best weights."""
    table, target = training.tables[peer.table], training.own.target

    def loss(model: nn.Module, rows: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        wide = torch.from_numpy(training.own.images[rows].astype(np.float32))
        told = table[rows].copy()
        hidden = rng.random(len(rows)) < HIDDEN
        told[hidden, : peer.of_table] = np.nan
        answer = model(augmented(wide, rng, AUGMENTATION), torch.from_numpy(told))
        return nn.functional.mse_loss(answer, torch.from_numpy(target[rows]))

    def error(model: nn.Module) -> float:
        answer = _plain(model, left_out.own, left_out.tables[peer.table])
        return float(np.mean((np.clip(answer, 0, 1) - left_out.own.target) ** 2))

    learnt = learn(model, Lesson(rows=len(training.own), loss=loss, error=error), recipe, path)
    model.load_state_dict(learnt.state)
    model.eval()
    return learnt


def raw_scorer(model: nn.Module, measure: Measure) -> Scorer:
    """A network's own answers, over the views that our model is scored with; no probabilities yet."""

    def score(job: ClassJob) -> NDArray[np.float64]:
        usable = scorable(job)
        crops = prepare_crops(job, [crop for crop, _, _ in VIEWS])
        views = [turned(images[usable], *way[1:]) for images, way in zip(crops, VIEWS, strict=True)]
        told = measure(job)[usable]
        result = np.full(len(usable), np.nan)
        result[usable] = np.mean([_run(model, view, told) for view in views], axis=0, dtype=np.float64)
        return result

    return score


def _plain(model: nn.Module, labelled: Labelled, table: NDArray[np.float32]) -> NDArray[np.float32]:
    return _run(model, prepare_again(labelled.images.astype(np.float16)), table)


def _run(model: nn.Module, images: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.float32]:
    parts = []
    with torch.inference_mode():
        for first in range(0, len(images), 128):
            part = slice(first, first + 128)
            out = model(torch.from_numpy(images[part]), torch.from_numpy(table[part]))
            parts.append((out if out.ndim == 1 else out[:, 0]).numpy())
    return np.concatenate(parts)


def pairwise_weights(training: Part, seed: int) -> NDArray[np.float32]:
    """Weights of `simple_features` such that a good class lies above a bad one of its own job."""
    table, good, job = training.tables["simple"], training.own.good, training.own.job
    rng = np.random.default_rng(seed)
    pairs = []
    for number in np.unique(job):
        up, down = np.flatnonzero((job == number) & good), np.flatnonzero((job == number) & ~good)
        if len(up) and len(down):
            pairs.append(table[rng.choice(up, 60)] - table[rng.choice(down, 60)])
            if rng.random() < HIDDEN:
                pairs[-1][:, :2] = 0  # particles and resolution, as for images alone
    difference = np.concatenate(pairs).astype(np.float64)
    weights = np.zeros(table.shape[1])
    for _ in range(30):  # Newton
        p = sigmoid(difference @ weights)
        gradient = difference.T @ (p - 1) + 1e-2 * weights
        hessian = (difference * (p * (1 - p))[:, None]).T @ difference + 1e-2 * np.eye(len(weights))
        weights = weights - np.linalg.solve(hessian, gradient)
    return weights.astype(np.float32)
