"""Train a network of any shape, go on where it was stopped, and end when left-out molecules gain no more.

The rate rises over the first hundred steps, stays level until the error on left-out molecules has not fallen
for a while (or the budget is spent), and then falls over a third of the steps taken: unlike a cycle of fixed
length, this tells whether more steps would have helped. What is kept is the running mean of the weights at
the validation where it was best.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cryofed.errors import InputError

Course = list[tuple[int, float]]  # steps taken, and the error on left-out molecules there
WARM_STEPS = 100
CLEARLY = 0.005  # share by which an error must fall to count as better


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained; the same for every shape of a table."""

    level: int  # steps before the rate falls, at most
    seed: int = 1
    every: int = 100  # steps between validations, which are checkpoints too
    patience: int = 4  # validations in a row without a better one that end the level part
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 2e-2
    memory: float = 0.995  # of the running mean of the weights, per step
    half: bool = True  # forward and backward in bfloat16, weights in float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What a network learns: a loss over training rows, and its error on left-out molecules."""

    rows: int  # training rows
    loss: Callable[[nn.Module, NDArray[np.int64], np.random.Generator], Tensor]
    error: Callable[[nn.Module], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What came of it: the best weights, and what they cost."""

    state: dict[str, Tensor]
    course: Course
    steps: int
    seconds: float  # of processor time, validations left out
    settled: bool  # ended because nothing was gained any more, not because the budget was spent

    @property
    def best(self) -> tuple[int, float]:
        """Steps and error of the weights that were kept."""
        return min(self.course, key=lambda seen: seen[1])


def learn(model: nn.Module, lesson: Lesson, recipe: Recipe, path: Path) -> Learnt:
    """Train `model`, or go on from the checkpoint `path` to the bits of a run that was not stopped."""
    model = model.to(memory_format=torch.channels_last)
    run = _begin(model, recipe)
    if path.is_file():
        _load(path, run, recipe)
    while (rate := rate_at(run.step, run.course, recipe)) is not None:
        started = time.process_time()
        _step(run, lesson, recipe, rate)
        run.seconds += time.process_time() - started
        if run.step % recipe.every == 0 or rate_at(run.step, run.course, recipe) is None:
            _validate(run, lesson, recipe)
            _save(path, run, recipe)
    return Learnt(
        state=run.best,
        course=run.course,
        steps=run.step,
        seconds=run.seconds,
        settled=turn(run.course, recipe) < recipe.level,
    )


def turn(course: Course, recipe: Recipe) -> int:
    """The step at which the rate begins to fall."""
    best, since = float("inf"), 0
    for step, error in course:
        if step >= recipe.level:
            break
        if error < best * (1 - CLEARLY):
            best, since = error, 0
        else:
            since += 1
        if since >= recipe.patience:
            return step
    return recipe.level


def rate_at(step: int, course: Course, recipe: Recipe) -> float | None:
    """Learning rate of the step after `step`; None when training is over."""
    begin = turn(course, recipe)
    if step < begin:
        return recipe.learning_rate * min(1.0, (step + 1) / WARM_STEPS)
    done = (step - begin) / max(1, begin // 3)
    if done >= 1:
        return None
    return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * done))))


@dataclass(slots=True)
class _Run:
    """What changes while a network learns."""

    model: nn.Module
    mean: dict[str, Tensor]  # running mean of weights and of batch statistics
    optimizer: torch.optim.AdamW
    best: dict[str, Tensor]
    course: Course
    step: int = 0
    seconds: float = 0.0


class Half(nn.Module):
    """The same network with its convolutions and products in bfloat16."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor, features: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            answer: Tensor = self.model(images, features)
        return answer.float()


def _begin(model: nn.Module, recipe: Recipe) -> _Run:
    mean = {name: array.detach().clone() for name, array in model.state_dict().items()}
    optimizer = torch.optim.AdamW(
        model.parameters(), recipe.learning_rate, betas=(0.9, 0.99), weight_decay=recipe.weight_decay
    )
    return _Run(model, mean, optimizer, best=dict(mean), course=[])


def _step(run: _Run, lesson: Lesson, recipe: Recipe, rate: float) -> None:
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    # Each step has its own generators, so that a resumed run meets the same rows, views and dropout.
    rng = np.random.default_rng([recipe.seed, run.step])
    rows = _rows(lesson.rows, run.step, recipe)
    run.model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed * 1_000_003 + run.step)
        loss = lesson.loss(Half(run.model) if recipe.half else run.model, rows, rng)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), 2.0)
    run.optimizer.step()
    keep = min(recipe.memory, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        for name, array in run.model.state_dict().items():
            if array.is_floating_point():
                run.mean[name].mul_(keep).add_(array, alpha=1 - keep)
            else:
                run.mean[name].copy_(array)
    run.step += 1


def _rows(n: int, step: int, recipe: Recipe) -> NDArray[np.int64]:
    """The rows of a step: every one once in an epoch, in an order of the epoch's own."""
    size = min(recipe.batch, n)
    epoch, place = divmod(step, n // size)
    order = np.random.default_rng([recipe.seed, 1_000_000 + epoch]).permutation(n)
    return order[place * size : (place + 1) * size]


def _validate(run: _Run, lesson: Lesson, recipe: Recipe) -> None:
    now = {name: array.detach().clone() for name, array in run.model.state_dict().items()}
    run.model.load_state_dict(run.mean)
    run.model.eval()
    with torch.inference_mode():
        error = lesson.error(Half(run.model) if recipe.half else run.model)
    run.model.load_state_dict(now)
    if not run.course or error < min(seen for _, seen in run.course):
        run.best = {name: array.clone() for name, array in run.mean.items()}
    run.course.append((run.step, error))


def _save(path: Path, run: _Run, recipe: Recipe) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    torch.save(
        {
            "recipe": asdict(recipe), "model": run.model.state_dict(), "mean": run.mean, "best": run.best,
            "optimizer": run.optimizer.state_dict(), "course": run.course, "step": run.step,
            "seconds": run.seconds,
        },
        unfinished,
    )  # fmt: skip
    unfinished.replace(path)


def _load(path: Path, run: _Run, recipe: Recipe) -> None:
    kept: dict[str, Any] = torch.load(path, weights_only=True)
    if kept["recipe"] != asdict(recipe):
        raise InputError(path, "recipe", "of another run", "delete the file, or choose another cache")
    run.model.load_state_dict(kept["model"])
    run.mean, run.best = kept["mean"], kept["best"]
    run.optimizer.load_state_dict(kept["optimizer"])
    run.course = [(int(step), float(error)) for step, error in kept["course"]]
    run.step, run.seconds = kept["step"], kept["seconds"]
