"""Train the network that CryoFed ships: long, seeded, with checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from cryofed.disk.whole import replace_whole
from cryofed.errors import InputError
from cryofed.learning.learner import TrainingSettings, batch_loss, initial_vector, layout, network
from cryofed.learning.mixture import Mixture
from cryofed.learning.vector import Vector, vector_hash
from cryofed.scoring.network import Network

EVERY = 200  # steps between checkpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSettings:
    """What the shipped model is trained with. One-cycle AdamW; the running mean of the weights is kept.

    `begin` is the hash of the vector that training starts from, empty for a fresh network.
    """

    seed: int = 1
    steps: int = 4000
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 2e-2
    memory: float = 0.998  # of the running mean of the weights, per step
    feature_dropout: float = 0.5  # share of averages whose features are hidden
    begin: str = ""
    stop: int = 0  # step after which training ends before its time; 0: at `steps`

    @property
    def training(self) -> TrainingSettings:
        """The part that a batch needs."""
        return TrainingSettings(
            steps=self.steps,
            batch=self.batch,
            learning_rate=self.learning_rate,
            feature_dropout=self.feature_dropout,
        )


def train_release(
    mixture: Mixture,
    settings: ReleaseSettings,
    checkpoint: Path,
    progress: Callable[[int, float], None] | None = None,
    begin: Vector | None = None,
) -> Vector:
    """Train from `begin` or a fresh network, or go on from `checkpoint` where there is one, to the end.

    A run that was stopped and goes on gives the bits of one that was not.
    """
    settings = replace(settings, begin="" if begin is None else vector_hash(begin))
    run = _start(initial_vector(settings.seed) if begin is None else begin, settings)
    first = _load(checkpoint, run, settings) if checkpoint.is_file() else 0
    last = settings.stop or settings.steps
    for step in range(first, last):
        # Each step has its own generator, so that a resumed run meets the same batches and views.
        rng = np.random.default_rng([settings.seed, step])
        for group in run.optimizer.param_groups:
            group["lr"] = settings.learning_rate * one_cycle(step / settings.steps)
        run.optimizer.zero_grad(set_to_none=True)
        rows = mixture.rows(settings.batch, rng)
        loss = batch_loss(run.model, mixture.labelled, rows, settings.training, rng)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(run.model.parameters(), 2.0)
        run.optimizer.step()
        _remember(run, min(settings.memory, (1 + step) / (10 + step)))
        if progress:
            progress(step + 1, loss.item())
        if (step + 1) % EVERY == 0 or step + 1 == last:
            _save(checkpoint, run, settings, step + 1)
    return layout().join({name: array.numpy() for name, array in run.mean.items()})


@dataclass(frozen=True, slots=True)
class _Run:
    """What changes while a run goes on."""

    model: Network
    mean: dict[str, torch.Tensor]  # running mean of the weights
    optimizer: torch.optim.AdamW


def _start(vector: Vector, settings: ReleaseSettings) -> _Run:
    model = network(vector).train()
    mean = {name: array.detach().clone() for name, array in model.state_dict().items()}
    optimizer = torch.optim.AdamW(
        model.parameters(), settings.learning_rate, betas=(0.9, 0.99), weight_decay=settings.weight_decay
    )
    return _Run(model, mean, optimizer)


def _remember(run: _Run, keep: float) -> None:
    with torch.no_grad():
        for name, array in run.model.state_dict().items():
            run.mean[name].mul_(keep).add_(array, alpha=1 - keep)


def one_cycle(done: float) -> float:
    """Share of the full learning rate: up over the first tenth, then a cosine down to a hundredth."""
    if done < 0.1:
        return 0.04 + 0.96 * done / 0.1
    return 0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * (done - 0.1) / 0.9)))


def _save(path: Path, run: _Run, settings: ReleaseSettings, step: int) -> None:
    arrays = {f"model.{name}": array.detach().numpy() for name, array in run.model.state_dict().items()}
    arrays |= {f"mean.{name}": array.numpy() for name, array in run.mean.items()}
    for index, state in run.optimizer.state_dict()["state"].items():
        arrays |= {f"adam.{index}.{name}": value.numpy() for name, value in state.items()}
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    notes = {"step": str(step), "settings": repr(asdict(settings))}
    replace_whole(path, lambda unfinished: save_file(arrays, unfinished, metadata=notes))


def _load(path: Path, run: _Run, settings: ReleaseSettings) -> int:
    with safe_open(path, "numpy") as opened:
        notes = opened.metadata()
    if notes["settings"] != repr(asdict(settings)):
        raise InputError(path, "settings", "of another run", "choose another --out, or delete it")
    arrays = {name: torch.from_numpy(array) for name, array in load_file(path).items()}
    run.model.load_state_dict({n[6:]: a for n, a in arrays.items() if n.startswith("model.")})
    for name, array in run.mean.items():
        array.copy_(arrays[f"mean.{name}"])
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, array in arrays.items():
        if name.startswith("adam."):
            _, index, field = name.split(".")
            state.setdefault(int(index), {})[field] = array
    run.optimizer.load_state_dict({**run.optimizer.state_dict(), "state": state})
    return int(notes["step"])
