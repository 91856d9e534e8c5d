"""Fit the calibration of a trained network on simulated jobs that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cryofed.learning.augment import blurred, middle, normalized
from cryofed.learning.learner import network
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.library.pictures import prepare_again
from cryofed.scoring.calibration import LIMIT, Calibration, Context, Numbers, context_columns, fit_platt
from cryofed.scoring.detail import DETAIL, detail
from cryofed.scoring.network import Network
from cryofed.scoring.prepare import SIDE
from cryofed.scoring.scorer import VIEWS, turned

AXES, HIDDEN = 16, 24


@dataclass(frozen=True, slots=True)
class Answered:
    """What a network says of one job's n classes, and which are good."""

    logits: Numbers  # (n,)
    embedding: Numbers  # (n, EMBEDDING)
    detail: Numbers  # (n, len(DETAIL))
    good: NDArray[np.bool_]

    def take(self, which: NDArray[np.bool_]) -> Answered:
        """The chosen classes as a job of their own."""
        return Answered(self.logits[which], self.embedding[which], self.detail[which], self.good[which])


def answers(vector: Vector, labelled: Labelled) -> Iterator[Answered]:
    """The network's answers job by job, over the scorer's own views."""
    model = network(vector).eval()
    for job in np.unique(labelled.job):
        part = labelled.take(labelled.job == job)
        views = [
            torch.from_numpy(turned(prepare_again(part.images.astype(np.float16), crop), turns, mirrored))
            for crop, turns, mirrored in VIEWS
        ]
        yield _answered(model, views, torch.from_numpy(part.features), part.good)


def restyled_answers(vector: Vector, labelled: Labelled, rng: np.random.Generator) -> Iterator[Answered]:
    """The same, each job shown in one odd style throughout: crop, blur, gamma, grain, a table or none.

    A real program shows all averages of a job alike, and unlike any that was simulated: the context must
    learn from jobs that are all a little wrong in the same way.
    """
    model = network(vector).eval()
    for job in np.unique(labelled.job):
        part = labelled.take(labelled.job == job)
        features = part.features if rng.random() < 0.5 else np.full_like(part.features, np.nan)
        view = restyled(torch.from_numpy(part.images.astype(np.float32)), rng)
        yield _answered(model, [view], torch.from_numpy(features), part.good)


def restyled(images: Tensor, rng: np.random.Generator) -> Tensor:
    """`(n, s, s)` averages of one job to `(n, 64, 64)`, all changed alike."""
    n, wide = len(images), images.shape[-1]
    scale = float(np.exp(rng.uniform(np.log(0.75), np.log(1.25)))) * SIDE / wide
    affine = torch.tensor([[scale, 0, 0], [0, scale, 0]], dtype=torch.float32).repeat(n, 1, 1)
    grid = nn.functional.affine_grid(affine, [n, 1, SIDE, SIDE], align_corners=False)
    view = nn.functional.grid_sample(images[:, None], grid, align_corners=False)[:, 0]
    if rng.random() < 0.3:
        view = blurred(view, float(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.4:
        low = view.amin((1, 2), keepdim=True)
        span = (view.amax((1, 2), keepdim=True) - low).clamp_min(1e-6)
        view = ((view - low) / span) ** float(np.exp(rng.uniform(np.log(0.6), np.log(1.6))))
    if rng.random() < 0.2:
        grain = torch.from_numpy(rng.standard_normal(view.shape).astype(np.float32))
        view = view + grain * view.std() * float(rng.uniform(0.05, 0.4))
    return normalized(middle(view))


def seen_logits(vector: Vector, context: Context | None, labelled: Labelled) -> Numbers:
    """`(n,)` logits of labelled averages in one plain view, each seen in the context of its job."""
    model = network(vector).eval()
    result = np.zeros(len(labelled))
    for job in np.unique(labelled.job):
        mine = labelled.job == job
        part = labelled.take(mine)
        view = normalized(middle(torch.from_numpy(part.images.astype(np.float32))))
        told = _answered(model, [view], torch.from_numpy(part.features), part.good)
        result[mine] = context.logits(told.logits, told.embedding, told.detail) if context else told.logits
    return result


def _answered(model: Network, views: list[Tensor], features: Tensor, good: NDArray[np.bool_]) -> Answered:
    with torch.inference_mode():
        seen = [model.both(view, features) for view in views]
    logits = torch.stack([logits[:, 0] for logits, _ in seen]).mean(0)
    embedding = torch.stack([hidden for _, hidden in seen]).mean(0)
    return Answered(logits.double().numpy(), embedding.double().numpy(), detail(views[0].numpy()), good)


def fit_calibration(fitting: list[Answered], settling: list[Answered], seed: int = 0) -> Calibration:
    """A context learnt from the jobs of `fitting`; slope and offset from those of `settling`."""
    context = fit_context(fitting, seed)
    logits = np.concatenate([context.logits(job.logits, job.embedding, job.detail) for job in settling])
    good = np.concatenate([job.good for job in settling])
    return replace(fit_platt(logits, good), context=context)


def fit_context(jobs: list[Answered], seed: int, epochs: int = 30) -> Context:
    """Train the small network over class and job, each job in ever other compositions."""
    rng = np.random.default_rng(seed)
    centre, axes = _axes(np.concatenate([job.embedding for job in jobs]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reader = _Reader(2 + AXES + len(DETAIL))
        optimizer = torch.optim.AdamW(reader.parameters(), 3e-3, weight_decay=0.05)
        for epoch in range(epochs):
            for group in optimizer.param_groups:
                group["lr"] = 3e-3 * (1 - epoch / epochs)
            order = rng.permutation(len(jobs))
            for first in range(0, len(jobs), 16):
                chosen = [_recomposed(jobs[i], rng) for i in order[first : first + 16]]
                columns = [context_columns(j.logits, (j.embedding - centre) @ axes, j.detail) for j in chosen]
                good = np.concatenate([j.good for j in chosen]).astype(np.float32)
                logits = np.concatenate([j.logits for j in chosen]).astype(np.float32)
                loss = nn.functional.binary_cross_entropy_with_logits(
                    reader(torch.from_numpy(logits), torch.from_numpy(np.concatenate(columns)).float()),
                    torch.from_numpy(good),
                )
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                optimizer.step()
    return Context(middle=centre, axes=axes, **reader.arrays())


def _axes(embedding: Numbers) -> tuple[Numbers, Numbers]:
    """Centre and the first principal axes of the embeddings, scaled to deviation 1."""
    centre, spread = embedding.mean(axis=0), embedding.std(axis=0) + 0.1
    scaled = (embedding - centre) / spread
    _, _, rows = np.linalg.svd(scaled, full_matrices=False)
    turned_axes = rows[:AXES].T
    deviation = (scaled @ turned_axes).std(axis=0) + 1e-6
    return centre, turned_axes / spread[:, None] / deviation


def _recomposed(job: Answered, rng: np.random.Generator) -> Answered:
    """The job with shares of its good and bad classes left out: purer, dirtier or smaller than it was."""
    if rng.random() < 0.4:
        return job
    good, bad = rng.uniform(0.05, 1), rng.uniform(0, 1)
    kept = rng.random(len(job.good)) < np.where(job.good, good, bad)
    return job.take(kept) if kept.sum() >= 2 else job


class _Reader(nn.Module):
    """`Context` while it is trained."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(columns, HIDDEN)
        self.out = nn.Linear(HIDDEN, 1, bias=False)
        self.linear = nn.Linear(columns, 1)
        self.steepness = nn.Parameter(torch.ones(()))  # the calibration's slope takes its place
        for weight in (self.out.weight, self.linear.weight, self.linear.bias):
            nn.init.zeros_(weight)  # start from the network's own logit

    def forward(self, logits: Tensor, columns: Tensor) -> Tensor:
        hidden = nn.functional.dropout(torch.relu(self.hidden(columns)), 0.2, self.training)
        change = (self.out(hidden) + self.linear(columns))[:, 0]
        result: Tensor = self.steepness * (logits + LIMIT * torch.tanh(change / LIMIT))
        return result

    def arrays(self) -> dict[str, Numbers]:
        def array(x: Tensor) -> Numbers:
            return x.detach().double().numpy()

        return {
            "hidden_weight": array(self.hidden.weight),
            "hidden_bias": array(self.hidden.bias),
            "out_weight": array(self.out.weight[0]),
            "linear": array(self.linear.weight[0]),
            "bias": array(self.linear.bias[0]),
        }
