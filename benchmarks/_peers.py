"""Train the peers' shapes and our network on one and the same small corpus, for a fair table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks._baselines import (
    CryoSiftShape,
    RelionShape,
    cryosift_features,
    pictures,
    relion_features,
    simple_features,
)
from cryofed.jobs.job import ClassJob
from cryofed.learning.augment import normalized
from cryofed.learning.corpus import labelled
from cryofed.learning.release import ReleaseSettings, one_cycle, train_release
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import fit_platt, sigmoid
from cryofed.scoring.scorer import scorable
from cryofed.simulation.corpus import corpus

Scorer = Callable[[ClassJob], NDArray[np.float64]]  # a job to (n,) scores, NaN where not scored
SEED = 201  # a corpus of its own: its molecules are in no other


@dataclass(frozen=True, slots=True)
class Peers:
    """One row per class of the small corpus."""

    images: NDArray[np.float16]
    relion: NDArray[np.float32]
    cryosift: NDArray[np.float32]
    simple: NDArray[np.float32]
    target: NDArray[np.float32]
    good: NDArray[np.bool_]
    job: NDArray[np.int64]


def peers_corpus(folder: Path, jobs: int) -> tuple[Peers, Labelled]:
    """Features of every peer, and the labelled averages for our own network; kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    tables, ours = [], []
    for first in range(0, jobs, 50):
        path = folder / f"peers-{SEED}-{first}.npz"
        if not path.is_file():
            _write(path, first, min(50, jobs - first))
        with np.load(path) as read:
            tables.append(Peers(*(read[f"peer_{name}"] for name in Peers.__slots__)))
            ours.append(Labelled(**{name: read[f"own_{name}"] for name in Labelled.__slots__}))
    whole = Peers(*(np.concatenate([getattr(t, name) for t in tables]) for name in Peers.__slots__))
    return whole, Labelled.join(ours)


def _write(path: Path, first: int, count: int) -> None:
    rows, own = [], []
    for number, simulated in enumerate(corpus(count, SEED, start=first), start=first):
        job, truth, use = simulated.job, simulated.truth, scorable(simulated.job)
        rows.append((
            pictures(job)[use].astype(np.float16), relion_features(job)[use], cryosift_features(job)[use],
            simple_features(job)[use], truth.quality[use].astype(np.float32), truth.good[use],
            np.full(use.sum(), number),
        ))  # fmt: skip
        own.append(labelled(simulated, number))
    columns = {
        f"peer_{n}": np.concatenate(c) for n, c in zip(Peers.__slots__, zip(*rows, strict=True), strict=True)
    }
    joined = Labelled.join(own)
    columns |= {f"own_{name}": getattr(joined, name) for name in Labelled.__slots__}
    unfinished = path.with_suffix(".tmp.npz")
    np.savez(unfinished, **columns)
    unfinished.rename(path)


def train_peers(
    folder: Path, data: Peers, steps: int, seed: int, say: Callable[[str], None]
) -> dict[str, tuple[Scorer, int]]:
    """Every peer trained on `data`, with its number of parameters."""
    say("training SIMPLE's manner")
    weights = _pairwise(data.simple, data.good, data.job, seed)
    made: dict[str, tuple[Scorer, int]] = {}
    platt = fit_platt((data.simple @ weights).astype(np.float64), data.good)
    made["pairwise logistic (SIMPLE)"] = (
        lambda job: _masked(job, sigmoid(platt.slope * (simple_features(job) @ weights) + platt.offset)), 16
    )  # fmt: skip
    for name, shape, features, table in (
        ("RELION's shape", RelionShape, relion_features, data.relion),
        ("CryoSift's shape", CryoSiftShape, cryosift_features, data.cryosift),
    ):
        say(f"training {name}")
        torch.manual_seed(seed)
        model, path = shape(), folder / f"{shape.__name__}-{len(data.good)}-{steps}-{seed}.pt"
        if path.is_file():
            model.load_state_dict(torch.load(path, weights_only=True))
        else:
            _train(model, data, table, steps, seed)
            torch.save(model.state_dict(), path)
        model.eval()
        count = sum(p.numel() for p in model.parameters())
        made[name] = (_scorer(model, features), count)
    return made


def train_ours(folder: Path, own: Labelled, steps: int, seed: int) -> NDArray[np.float32]:
    """Our network on the same averages for the same number of steps."""
    settings = ReleaseSettings(seed=seed, steps=steps)
    return train_release(own, settings, folder / f"ours-{len(own)}-{steps}-{seed}.safetensors")


def _masked(job: ClassJob, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(scorable(job), scores, np.nan)


def _scorer(model: nn.Module, features: Callable[[ClassJob], NDArray[np.float32]]) -> Scorer:
    def score(job: ClassJob) -> NDArray[np.float64]:
        images = normalized(torch.from_numpy(pictures(job)))
        with torch.inference_mode():
            out = model(images, torch.from_numpy(features(job))).double().numpy()
        return _masked(job, np.clip(out, 0, 1))

    return score


def _train(model: nn.Module, data: Peers, table: NDArray[np.float32], steps: int, seed: int) -> None:
    """Squared error of the graded target, quarter turns and mirrors, as both peers train."""
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=5e-4)
    model.train()
    for step, rows in enumerate(_batches(len(data.good), steps, seed)):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * one_cycle(step / steps)
        rng = np.random.default_rng([seed, step])
        images = torch.rot90(
            torch.from_numpy(data.images[rows].astype(np.float32)), int(rng.integers(4)), (1, 2)
        )
        images = normalized(images.flip(2) if rng.random() < 0.5 else images)
        loss = nn.functional.mse_loss(
            model(images, torch.from_numpy(table[rows])), torch.from_numpy(data.target[rows])
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _batches(n: int, steps: int, seed: int, size: int = 64) -> Iterator[NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(n) for _ in range(-(-steps * size // n) + 1)])
    for step in range(steps):
        yield order[step * size : (step + 1) * size]


def _pairwise(
    features: NDArray[np.float32], good: NDArray[np.bool_], job: NDArray[np.int64], seed: int
) -> NDArray[np.float32]:
    """Weights such that a good class lies above a bad one of its own job (logistic loss over pairs)."""
    rng = np.random.default_rng(seed)
    pairs = []
    for number in np.unique(job):
        up, down = np.flatnonzero((job == number) & good), np.flatnonzero((job == number) & ~good)
        if len(up) and len(down):
            pairs.append(features[rng.choice(up, 60)] - features[rng.choice(down, 60)])
    difference = np.concatenate(pairs)
    weights = np.zeros(features.shape[1])
    for _ in range(30):  # Newton
        p = sigmoid((difference @ weights).astype(np.float64))
        gradient = difference.T @ (p - 1) + 1e-2 * weights
        hessian = (difference * (p * (1 - p))[:, None]).T @ difference + 1e-2 * np.eye(len(weights))
        weights = weights - np.linalg.solve(hessian, gradient)
    return weights.astype(np.float32)
