"""Train and evaluate a vector on one site's labelled averages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cryofed.errors import TrainingError
from cryofed.learning.augment import Augmentation, augmented, middle, normalized
from cryofed.learning.device import device_of, faster
from cryofed.learning.metrics import auc, brier, calibration_error
from cryofed.learning.pooled import pooled_views
from cryofed.learning.vector import Layout, Vector
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import sigmoid
from cryofed.scoring.network import Network

AUGMENTATION = Augmentation()
PARTS = ("all", "head")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How a site trains in one round (or alone: one long round).

    `steps` batches of `batch` averages; AdamW or plain SGD at `learning_rate`, one-cycle when `one_cycle`.
    `pull` is FedProx's μ towards the vector that training started from.
    """

    steps: int = 100
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    optimizer: str = "adamw"
    one_cycle: bool = False
    feature_dropout: float = 0.5  # share of averages whose features are hidden, so that images alone suffice
    augment: bool = True
    pull: float = 0.0
    part: str = "all"  # or "head": the trunk stays as it is, and is run once for all steps

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise TrainingError(f"part: found {self.part!r}; use 'all' or 'head'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What training gave."""

    vector: Vector
    examples: int  # labelled averages the site has
    steps: int
    loss: float  # mean over the last tenth of the steps
    gradient: Vector | None = None  # mean over the steps, without pull and drift; None unless drift was given


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """How a vector does on labelled averages; NaN where one kind of class is missing."""

    examples: int
    good: int
    auc: float
    brier: float
    calibration_error: float


@cache
def layout() -> Layout:
    """The layout of the network that this version of CryoFed trains."""
    state = Network().state_dict()
    return Layout(tuple(state), tuple(tuple(array.shape) for array in state.values()))


def initial_vector(seed: int) -> Vector:
    """A fresh network's numbers, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = Network().state_dict()
    return layout().join({name: array.numpy() for name, array in state.items()})


def network(vector: Vector) -> Network:
    """The network that these numbers make."""
    model = Network()
    model.load_state_dict({name: torch.tensor(array) for name, array in layout().split(vector).items()})
    # Twice as fast on a CPU: the channels of a pixel lie side by side. torch's types lack this form of `to`.
    return model.to(memory_format=torch.channels_last)  # type: ignore[no-any-return,call-overload]  # torch's stub lacks it


def train(
    vector: Vector,
    labelled: Labelled,
    settings: TrainingSettings,
    seed: int,
    *,
    drift: Vector | None = None,
    device: str = "cpu",
    progress: Callable[[int, float], None] | None = None,
) -> Trained:
    """Train from `vector` and return the new vector; on the CPU the same arguments give the same bits.

    `drift` is added to every gradient (SCAFFOLD's and FedDyn's correction). `progress(step, loss)` is
    called after each step.
    """
    if not len(labelled):
        raise TrainingError("no labelled averages to train on; harvest or label some first")
    rng = np.random.default_rng(seed)
    place = device_of(device)
    model = network(vector).to(place).train()
    model.trunk.requires_grad_(settings.part == "all")
    views = None
    if settings.part == "head":
        trunk = vector[layout().span("trunk.")].tobytes()
        views = pooled_views(model, trunk, labelled, AUGMENTATION if settings.augment else None)
    parameters = list(model.parameters())
    start = [p.detach().clone() for p in parameters]
    extra = None if drift is None else [torch.tensor(a).to(place) for a in layout().split(drift).values()]
    total = None if extra is None else [torch.zeros_like(a) for a in extra]
    optimizer = make_optimizer([p for p in parameters if p.requires_grad], settings)
    schedule = (
        torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.steps)
        if settings.one_cycle and settings.steps > 1
        else None
    )
    losses = []
    for step, rows in enumerate(_batches(len(labelled), settings, rng)):
        optimizer.zero_grad(set_to_none=True)
        if views is None:
            loss = batch_loss(model, labelled, rows, settings, rng)
        else:
            loss = head_loss(model, views, labelled, rows, settings=settings, rng=rng)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        _correct(parameters, start, settings.pull, extra, total)
        optimizer.step()
        if schedule:
            schedule.step()
        losses.append(loss.item())
        if progress:
            progress(step + 1, losses[-1])
    state = {name: array.detach().cpu().numpy() for name, array in model.state_dict().items()}
    tail = losses[-max(1, len(losses) // 10) :]
    gradient = None
    if total is not None:
        names = [name for name, _ in model.named_parameters()]
        mean = [(t / len(losses)).cpu().numpy() for t in total]
        gradient = layout().join(dict(zip(names, mean, strict=True)))
    return Trained(
        vector=layout().join(state),
        examples=len(labelled),
        steps=len(losses),
        loss=float(np.mean(tail)),
        gradient=gradient,
    )


def _correct(
    parameters: list[nn.Parameter],
    start: list[torch.Tensor],
    pull: float,
    extra: list[torch.Tensor] | None,
    total: list[torch.Tensor] | None,
) -> None:
    """Add up the gradients in `total`, then add pull and drift to them."""
    with torch.no_grad():
        for index, parameter in enumerate(parameters):
            if parameter.grad is None:  # of a trunk that stays
                continue
            if total is not None:
                total[index] += parameter.grad
            if pull:
                parameter.grad += pull * (parameter - start[index])
            if extra is not None:
                parameter.grad += extra[index]


def batch_loss(
    model: Network,
    labelled: Labelled,
    rows: NDArray[np.int64],
    settings: TrainingSettings,
    rng: np.random.Generator,
) -> torch.Tensor:
    """Cross-entropy of the graded target, and of the reason where one is known, over fresh views."""
    place = _place(model)
    images, features = (shown.to(place) for shown in view(labelled, rows, settings, rng))
    with faster(place):
        answers = model(images, features)
    return _loss(answers.float(), labelled, rows)


def head_loss(
    model: Network,
    views: NDArray[np.float32],
    labelled: Labelled,
    rows: NDArray[np.int64],
    *,
    settings: TrainingSettings,
    rng: np.random.Generator,
) -> torch.Tensor:
    """The same from `(views, n, POOLED)` numbers of the trunk; each average in one of its views."""
    place = _place(model)
    pooled = torch.from_numpy(views[rng.integers(len(views), size=len(rows)), rows]).to(place)
    features = torch.from_numpy(shown_features(labelled, rows, settings, rng)).to(place)
    return _loss(model.judge(pooled, features), labelled, rows)


def _place(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _loss(logits: torch.Tensor, labelled: Labelled, rows: NDArray[np.int64]) -> torch.Tensor:
    target = torch.from_numpy(labelled.target[rows]).to(logits.device)
    reason = torch.from_numpy(labelled.reason[rows].astype(np.int64)).to(logits.device)
    loss = nn.functional.binary_cross_entropy_with_logits(logits[:, 0], target)
    if (reason >= 0).any():
        loss = loss + 0.3 * nn.functional.cross_entropy(logits[:, 1:], reason, ignore_index=-1)
    return loss


def logits(vector: Vector, labelled: Labelled, batch: int = 256, device: str = "cpu") -> NDArray[np.float32]:
    """`(n, 1 + reasons)` logits, in full precision on every device."""
    place = device_of(device)
    model = network(vector).eval().to(place)
    parts = []
    with torch.inference_mode():
        for first in range(0, len(labelled), batch):
            images = torch.from_numpy(labelled.images[first : first + batch].astype(np.float32))
            features = torch.from_numpy(labelled.features[first : first + batch])
            parts.append(model(normalized(middle(images)).to(place), features.to(place)).cpu().numpy())
    return np.concatenate(parts) if parts else np.zeros((0, 8), np.float32)


def plain_logits(vector: Vector, labelled: Labelled, device: str = "cpu") -> NDArray[np.float64]:
    """`(n,)` logits that an expert keeps the class, in one view."""
    return logits(vector, labelled, device=device)[:, 0].astype(np.float64)


def evaluate(vector: Vector, labelled: Labelled, device: str = "cpu") -> Metrics:
    """Metrics of the plain sigmoid of the logit."""
    scores = sigmoid(plain_logits(vector, labelled, device))
    good = labelled.good
    return Metrics(
        examples=len(labelled),
        good=int(good.sum()),
        auc=auc(scores, good),
        brier=brier(scores, good) if len(good) else float("nan"),
        calibration_error=calibration_error(scores, good) if len(good) else float("nan"),
    )


def make_optimizer(parameters: list[nn.Parameter], settings: TrainingSettings) -> torch.optim.Optimizer:
    """The optimizer that the settings name."""
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, settings.learning_rate, weight_decay=settings.weight_decay)
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, settings.learning_rate, momentum=0.0)
    raise TrainingError(f"optimizer: found {settings.optimizer!r}; use 'adamw' or 'sgd'")


def _batches(n: int, settings: TrainingSettings, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """`steps` batches, every average once before any twice."""
    size = min(settings.batch, n)
    order: list[NDArray[np.int64]] = []
    while sum(map(len, order)) < settings.steps * size:
        order.append(rng.permutation(n))
    flat = np.concatenate(order)
    return [flat[i * size : (i + 1) * size] for i in range(settings.steps)]


def view(
    labelled: Labelled, rows: NDArray[np.int64], settings: TrainingSettings, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """The chosen averages and their features, as training shows them."""
    images = torch.from_numpy(labelled.images[rows].astype(np.float32))
    if not settings.augment:
        return normalized(middle(images)), torch.from_numpy(labelled.features[rows])
    features = torch.from_numpy(shown_features(labelled, rows, settings, rng))
    return augmented(images, rng, AUGMENTATION), features


def shown_features(
    labelled: Labelled, rows: NDArray[np.int64], settings: TrainingSettings, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The features of the chosen averages, many of them hidden, so that images alone suffice."""
    features = labelled.features[rows].copy()
    if settings.augment:
        features[rng.random(len(rows)) < settings.feature_dropout] = np.nan
        features[rng.random(features.shape) < settings.feature_dropout / 5] = np.nan
    return features
