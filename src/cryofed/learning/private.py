"""Train with differential privacy per record: DP-SGD (Abadi 2016) through Opacus' gradient hooks."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cryofed.errors import MissingPackageError, TrainingError
from cryofed.learning.device import device_of
from cryofed.learning.learner import (
    AUGMENTATION,
    Trained,
    TrainingSettings,
    layout,
    make_optimizer,
    network,
    shown_features,
    view,
)
from cryofed.learning.pooled import fresh_views
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.scoring.network import Network

PRIVATE_VIEWS = 4  # of each average, made anew in every round


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """How one private training hides each record.

    `secret_seed` draws the batches and the noise. Whoever knows it can take the noise away, so it is
    made at the site from the site's secret and never from the plan's seed.
    """

    noise_multiplier: float  # standard deviation of the noise as a multiple of `sample_norm`
    sample_norm: float  # each average's gradient is clipped to this norm
    secret_seed: int


def sampling_rate(examples: int, settings: TrainingSettings) -> float:
    """Chance of each average to be in a batch: batches are drawn by Poisson sampling."""
    return min(1.0, settings.batch / max(1, examples))


def train_privately(
    vector: Vector,
    labelled: Labelled,
    settings: TrainingSettings,
    privacy: Privacy,
    *,
    drift: Vector | None = None,
    device: str = "cpu",
    progress: Callable[[int, float], None] | None = None,
) -> Trained:
    """`learner.train` with every average's gradient clipped and noise added.

    On the CPU the same arguments give the same bits. All devices compute in full precision: every average's
    own gradient is clipped.

    Pull and drift do not depend on this step's averages and are added after the noise. The loss of the
    result is NaN: it was not made private and must not travel.
    """
    try:
        from opacus.grad_sample import GradSampleModule
        from opacus.optimizers import DPOptimizer
    except ImportError:
        raise MissingPackageError("opacus", "privacy") from None
    if not len(labelled):
        raise TrainingError("no labelled averages to train on; harvest or label some first")
    rng = np.random.default_rng(privacy.secret_seed)
    place = device_of(device)
    generator = torch.Generator(place).manual_seed(privacy.secret_seed % 2**63)
    model = network(vector).to(place).train()
    model.trunk.requires_grad_(settings.part == "all")
    views = None
    if settings.part == "head":
        # The secret seed draws them. Views that depended on the data would tie every average to all others.
        changes = AUGMENTATION if settings.augment else None
        views = fresh_views(model, labelled, changes, privacy.secret_seed, PRIVATE_VIEWS)
    hooked = GradSampleModule(model if views is None else _Head(model), loss_reduction="sum")
    parameters = [p for p in model.parameters() if p.requires_grad]
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    start = [p.detach().clone() for p in parameters]
    extra = None
    if drift is not None:
        parts = layout().split(drift)
        extra = [torch.tensor(parts[name]).to(place) for name in names]
    total = [torch.zeros_like(p) for p in parameters]
    optimizer = DPOptimizer(
        make_optimizer(parameters, settings),
        noise_multiplier=privacy.noise_multiplier,
        max_grad_norm=privacy.sample_norm,
        expected_batch_size=sampling_rate(len(labelled), settings) * len(labelled),
        generator=generator,
    )
    for step in range(settings.steps):
        rows = np.flatnonzero(rng.random(len(labelled)) < sampling_rate(len(labelled), settings))
        optimizer.zero_grad(set_to_none=True)
        _sample_gradients(hooked, labelled, rows, settings, rng=rng, views=views)
        optimizer.pre_step()
        with torch.no_grad():
            for index, parameter in enumerate(parameters):
                assert parameter.grad is not None
                total[index] += parameter.grad
                parameter.grad += settings.pull * (parameter - start[index])
                if extra is not None:
                    parameter.grad += extra[index]
        optimizer.original_optimizer.step()
        if progress:
            progress(step + 1, float("nan"))
    mean = {n: np.zeros_like(a) for n, a in layout().split(vector).items()}
    mean |= {n: (t / settings.steps).cpu().numpy() for n, t in zip(names, total, strict=True)}
    return Trained(
        vector=layout().join({n: a.detach().cpu().numpy() for n, a in model.state_dict().items()}),
        examples=len(labelled),
        steps=settings.steps,
        loss=float("nan"),
        gradient=None if drift is None else layout().join(mean),
    )


class _Head(nn.Module):
    """The head alone, from the trunk's numbers."""

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model

    def forward(self, pooled: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return self.model.judge(pooled, features)


def _sample_gradients(
    hooked: nn.Module,
    labelled: Labelled,
    rows: NDArray[np.int64],
    settings: TrainingSettings,
    *,
    rng: np.random.Generator,
    views: NDArray[np.float32] | None,
) -> None:
    """Leave each average's own gradient in `parameter.grad_sample`, `(rows, *shape)`."""
    place = next(hooked.parameters()).device
    if not len(rows):  # an empty Poisson batch is a step of pure noise
        for parameter in (p for p in hooked.parameters() if p.requires_grad):
            # Opacus hangs this attribute on parameters; torch's types do not know it.
            parameter.grad_sample = torch.zeros((0, *parameter.shape), device=place)  # type: ignore[attr-defined]  # Opacus's
        return
    if views is None:
        seen, features = view(labelled, rows, settings, rng)
    else:
        seen = torch.from_numpy(views[rng.integers(len(views), size=len(rows)), rows])
        features = torch.from_numpy(shown_features(labelled, rows, settings, rng))
    target = torch.from_numpy(labelled.target[rows].astype(np.float32)).to(place)
    reason = torch.from_numpy(labelled.reason[rows].astype(np.int64)).to(place)
    with warnings.catch_warnings():
        # Images need no gradient; torch says so at every first layer with a hook.
        warnings.filterwarnings("ignore", message="Full backward hook is firing", category=UserWarning)
        logits = hooked(seen.to(place), features.to(place))
        loss = nn.functional.binary_cross_entropy_with_logits(logits[:, 0], target, reduction="sum")
        loss = loss + 0.3 * nn.functional.cross_entropy(
            logits[:, 1:], reason, ignore_index=-1, reduction="sum"
        )
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
