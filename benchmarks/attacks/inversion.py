"""What one update tells of the averages that made it: embedding and features, labels, images.

Three attackers, each with the plan, the model before, and the exact update:

- The *head* attack (closed form) reads what went into the first dense layer: change of its weights over
  change of its bias, for each of its neurons.
- The *label* attack knows all pictures and features of the batch and solves for the labels by least squares.
- The *image* attack knows labels and features, and lets gradient descent find pictures that would make the
  same update (Geiping 2020: cosine distance, total variation, Adam), as if the update were one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from cryofed.federation.agreement.plan import USUAL, WHOLE
from cryofed.federation.site.trainer import training_settings
from cryofed.learning.augment import middle, normalized
from cryofed.learning.learner import TrainingSettings, layout, network, train
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A plan, and how many averages the site has."""

    name: str
    settings: TrainingSettings
    averages: int
    private: bool = False


def settings(steps: int, batch: int, optimizer: str, rate: float) -> TrainingSettings:
    """Of a coordinator who wants to see much: no augmentation, no hidden feature."""
    return TrainingSettings(
        steps=steps, batch=batch, optimizer=optimizer, learning_rate=rate, augment=False, weight_decay=0.0
    )


ATTEMPTS = (
    Attempt(name="one average, one step (refused)", settings=settings(1, 1, "sgd", 0.1), averages=1),
    Attempt(
        name="the worst plan that the default policy allows: one SGD step, 32 averages",
        settings=settings(1, 32, "sgd", 0.1),
        averages=32,
    ),
    Attempt(
        name="`federation new`: 20 AdamW steps of 64 on the head, 200 averages",
        settings=replace(training_settings(USUAL.training), weight_decay=0.0),
        averages=200,
    ),
    Attempt(
        name="`federation new --whole`: 30 AdamW steps of 64, 200 averages",
        settings=replace(training_settings(WHOLE.training), weight_decay=0.0),
        averages=200,
    ),
    Attempt(
        name="the worst plan, private (noise 1, clip 1)",
        settings=settings(1, 32, "sgd", 0.1),
        averages=32,
        private=True,
    ),
)


def update_of(attempt: Attempt, start: Vector, members: Labelled, seed: int) -> Vector:
    """The update as it leaves the site."""
    if attempt.private:
        from cryofed.learning.private import Privacy, train_privately

        privacy = Privacy(noise_multiplier=1.0, sample_norm=1.0, secret_seed=seed)
        return train_privately(start, members, attempt.settings, privacy).vector - start
    return train(start, members, attempt.settings, seed).vector - start


def inputs(start: Vector, labelled: Labelled) -> Rows:
    """What goes into the head's first layer: the embedding's numbers, features, and which are unknown."""
    model = network(start).eval()
    with torch.inference_mode():
        images = normalized(middle(torch.from_numpy(labelled.images.astype(np.float32))))
        features = torch.from_numpy(labelled.features)
        unknown = torch.isnan(features)
        told = torch.where(unknown, torch.zeros_like(features), features)
        rows = torch.cat([model.pooled(images), told, unknown.to(told.dtype)], dim=1)
    return rows.numpy().astype(np.float64)


def head_attack(update: Vector, rows: Rows, mean: Rows) -> NDArray[np.float64]:
    """`(n,)`: for each average the best correlation of any neuron's reading with its true input."""
    parts = layout().split(update)
    bias = parts["head.0.bias"].astype(np.float64)
    firing = np.abs(bias) > 1e-12
    read = parts["head.0.weight"].astype(np.float64)[firing] / bias[firing, None]
    if not len(read):
        return np.zeros(len(rows))
    a, b = rows - mean, read - mean
    a /= np.linalg.norm(a, axis=1, keepdims=True) + 1e-12
    b /= np.linalg.norm(b, axis=1, keepdims=True) + 1e-12
    best: NDArray[np.float64] = (a @ b.T).max(axis=1)
    return best


def label_attack(attempt: Attempt, update: Vector, start: Vector, members: Labelled) -> float:
    """Share of labels that are read right from the last layer's gradient, all pictures known."""
    model = network(start).eval()
    seen: list[torch.Tensor] = []
    model.head[2].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.inference_mode():
        images = normalized(middle(torch.from_numpy(members.images.astype(np.float32))))
        logits = model(images, torch.from_numpy(members.features))[:, 0]
    hidden = torch.cat([seen[0], torch.ones(len(members), 1)], dim=1).numpy().astype(np.float64)
    parts = layout().split(update)
    gradient = np.append(parts["head.2.weight"][0], parts["head.2.bias"][0]).astype(np.float64)
    # Σ (p - y) h / batch = -update / (rate · steps)
    residual, *_ = np.linalg.lstsq(
        hidden.T, -gradient * attempt.settings.batch / attempt.settings.learning_rate, rcond=1e-6
    )
    guess = torch.sigmoid(logits).numpy() - residual > 0.5
    return float((guess == (members.target > 0.5)).mean())


def image_attack(
    attempt: Attempt, update: Vector, start: Vector, members: Labelled, *, iterations: int, seed: int
) -> NDArray[np.float32]:
    """`(n, 64, 64)` pictures that would make the update, for as many averages as one batch holds."""
    count = min(attempt.settings.batch, len(members))
    known = members.take(np.arange(count))
    model = network(start).train()
    model.trunk.requires_grad_(attempt.settings.part == "all")
    trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
    moved = layout().split(update)
    wanted = [torch.tensor(-moved[name]) for name in trained]
    generator = torch.Generator().manual_seed(seed)
    guess = torch.randn((count, 64, 64), generator=generator, requires_grad=True)
    features = torch.from_numpy(known.features)
    optimizer = torch.optim.Adam([guess], lr=0.1)
    for _ in range(iterations):
        optimizer.zero_grad()
        loss = _loss(model(normalized(guess), features), known)
        found = torch.autograd.grad(loss, list(trained.values()), create_graph=True)
        dot = sum((f * w).sum() for f, w in zip(found, wanted, strict=True))
        norms = sum((f**2).sum() for f in found).sqrt() * sum((w**2).sum() for w in wanted).sqrt()
        rough = (guess[:, 1:] - guess[:, :-1]).abs().mean() + (
            guess[:, :, 1:] - guess[:, :, :-1]
        ).abs().mean()
        (1 - dot / norms + 1e-2 * rough).backward()
        guess.grad = guess.grad.sign() if guess.grad is not None else None
        optimizer.step()
    made: NDArray[np.float32] = normalized(guess.detach()).numpy()
    return made


def _loss(logits: torch.Tensor, known: Labelled) -> torch.Tensor:
    """As the learner's: labels and reasons are the attacker's."""
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    loss = entropy(logits[:, 0], torch.from_numpy(known.target))
    reason = torch.from_numpy(known.reason.astype(np.int64))
    if (reason >= 0).any():
        loss = loss + 0.3 * torch.nn.functional.cross_entropy(logits[:, 1:], reason, ignore_index=-1)
    return loss


def likeness(made: NDArray[np.float32], truth: Labelled) -> NDArray[np.float64]:
    """`(n,)`: for each true picture its best correlation with any that was made."""
    images = middle(torch.from_numpy(truth.images.astype(np.float32))).numpy()
    a = images.reshape(len(images), -1).astype(np.float64)
    b = made.reshape(len(made), -1).astype(np.float64)
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    best: NDArray[np.float64] = (a @ b.T).max(axis=1)
    return best


def drawn(attempt: Attempt, pool: Labelled, seed: int) -> tuple[Labelled, Labelled]:
    """The averages that make the update, and as many that have no part in it."""
    mixed = np.random.default_rng(seed).permutation(len(pool))
    members, others = (pool.take(mixed[i * attempt.averages :][: attempt.averages]) for i in (0, 1))
    return members, others


def attacked(attempt: Attempt, start: Vector, pool: Labelled, seeds: Sequence[int]) -> dict[str, float]:
    """Figures of the two closed forms, the mean over several draws of averages: members, others by chance."""
    found: dict[str, list[float]] = {}
    mean = inputs(start, pool).mean(axis=0)
    for seed in seeds:
        members, others = drawn(attempt, pool, seed)
        update = update_of(attempt, start, members, seed)
        for who, them in (("member", members), ("other", others)):
            best = head_attack(update, inputs(start, them), mean)
            found.setdefault(f"head {who}", []).append(float(np.median(best)))
            found.setdefault(f"read {who}", []).append(float((best > 0.99).mean()))
        found.setdefault("labels", []).append(label_attack(attempt, update, start, members))
        share = float((members.target > 0.5).mean())
        found.setdefault("labels guessed", []).append(max(share, 1 - share))
    return {key: float(np.mean(values)) for key, values in found.items()}


def pictured(attempt: Attempt, start: Vector, pool: Labelled, iterations: int, seed: int) -> dict[str, float]:
    """The median likeness of the pictures found by gradient matching: to members, and to others by chance."""
    members, others = drawn(attempt, pool, seed)
    update = update_of(attempt, start, members, seed)
    made = image_attack(attempt, update, start, members, iterations=iterations, seed=seed)
    shown = np.arange(len(made))
    return {
        "image member": float(np.median(likeness(made, members.take(shown)))),
        "image other": float(np.median(likeness(made, others.take(shown)))),
    }
