"""Train the peers' shapes and our network on one corpus under one recipe, and score jobs with them.

All networks see the same augmented views; a class's table is hidden from half of the views, as in our own
training, since real sets come without one. Each answer is turned into a probability by slope and offset
fitted on the left-out jobs, so that one cut is fair to all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.peers.baselines import cryosift_features, relion_features, simple_features
from benchmarks.peers.corpus import Part
from benchmarks.peers.shapes import CryoSiftShape, RelionShape, Scaled, scale_of
from benchmarks.peers.training import Learnt, Lesson, Recipe, learn
from cryofed.jobs.job import ClassJob
from cryofed.learning.augment import augmented
from cryofed.learning.learner import AUGMENTATION, TrainingSettings, batch_loss
from cryofed.library.labelled import Labelled
from cryofed.library.pictures import prepare_again
from cryofed.scoring.calibration import Calibration, fit_platt, sigmoid
from cryofed.scoring.features import features
from cryofed.scoring.network import Network
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


def train_peer(
    peer: Peer, training: Part, left_out: Part, recipe: Recipe, path: Path
) -> tuple[nn.Module, Learnt]:
    """Squared error of the graded target, as both peers train."""
    model, table, target = (
        fresh(peer, training, recipe.seed),
        training.tables[peer.table],
        training.own.target,
    )

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
    return model.eval(), learnt


def train_ours(
    model: nn.Module, training: Labelled, left_out: Labelled, recipe: Recipe, path: Path
) -> tuple[nn.Module, Learnt]:
    """A network with our inputs and outputs, by the loss that ours is released with."""
    settings = TrainingSettings(batch=recipe.batch, feature_dropout=HIDDEN)

    def loss(model: nn.Module, rows: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        return batch_loss(model, training, rows, settings, rng)  # type: ignore[arg-type]  # shapes of the same outputs

    def error(model: nn.Module) -> float:
        answer = _plain(model, left_out, left_out.features)
        return float(np.mean((sigmoid(answer.astype(np.float64)) - left_out.target) ** 2))

    learnt = learn(model, Lesson(rows=len(training), loss=loss, error=error), recipe, path)
    model.load_state_dict(learnt.state)
    return model.eval(), learnt


def our_network(seed: int) -> Network:
    """Our network before training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network()


def peer_scorer(peer: Peer, model: nn.Module, left_out: Part) -> Scorer:
    """Scores of jobs, over the views that ours is scored with."""
    answer = answers(model, left_out.own, left_out.tables[peer.table])
    return _scorer(model, peer.measure, fit_platt(answer, left_out.own.good))


def our_calibration(model: nn.Module, left_out: Labelled) -> Calibration:
    """Slope and offset of our network alone, without a context."""
    return fit_platt(answers(model, left_out, left_out.features), left_out.good)


def our_scorer(model: nn.Module, left_out: Labelled) -> Scorer:
    """Our network alone, without a context."""
    return _scorer(model, features, our_calibration(model, left_out))


def _scorer(model: nn.Module, measure: Measure, platt: Calibration) -> Scorer:
    def score(job: ClassJob) -> NDArray[np.float64]:
        usable = scorable(job)
        crops = prepare_crops(job, [crop for crop, _, _ in VIEWS])
        views = [turned(images[usable], *way[1:]) for images, way in zip(crops, VIEWS, strict=True)]
        told = measure(job)[usable]
        answer = np.mean([_run(model, view, told) for view in views], axis=0, dtype=np.float64)
        result = np.full(len(usable), np.nan)
        result[usable] = sigmoid(platt.slope * answer + platt.offset)
        return result

    return score


def answers(model: nn.Module, labelled: Labelled, table: NDArray[np.float32]) -> NDArray[np.float64]:
    """`(n,)` answers of a trained network over the scorer's views."""
    pictures = labelled.images.astype(np.float16)
    views = [_run(model, turned(prepare_again(pictures, crop), *way), table) for crop, *way in VIEWS]
    return np.mean(views, axis=0, dtype=np.float64)


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


def rule_of_thumb(left_out: Part) -> Scorer:
    """Robust z of resolution plus that of particles: what is seen in the table alone."""
    weights = np.zeros(left_out.tables["simple"].shape[1], np.float32)
    weights[:2] = 1
    return _weighted(weights, left_out)


def pairwise(training: Part, left_out: Part, seed: int) -> tuple[Scorer, int]:
    """SIMPLE's manner: weights such that a good class lies above a bad one of its own job (logistic loss)."""
    weights = _pairwise(training.tables["simple"], training.own.good, training.own.job, seed)
    return _weighted(weights, left_out), len(weights) + 2


def _weighted(weights: NDArray[np.float32], left_out: Part) -> Scorer:
    platt = fit_platt((left_out.tables["simple"] @ weights).astype(np.float64), left_out.own.good)

    def score(job: ClassJob) -> NDArray[np.float64]:
        scores = sigmoid(platt.slope * (simple_features(job) @ weights).astype(np.float64) + platt.offset)
        return np.where(scorable(job), scores, np.nan)

    return score


def _pairwise(
    table: NDArray[np.float32], good: NDArray[np.bool_], job: NDArray[np.int64], seed: int
) -> NDArray[np.float32]:
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
