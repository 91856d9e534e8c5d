"""A site's learner as strategies see it: seeded by plan, site and round, on one thread."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cryofed.federation.plan import Plan
from cryofed.learning.learner import Trained, TrainingSettings, layout, train
from cryofed.learning.vector import Layout, Vector
from cryofed.library.labelled import Labelled


class Learner:
    """Trains on one site's averages in one round; counts what it did."""

    def __init__(self, plan: Plan, site: str, round_number: int, labelled: Labelled) -> None:
        self.plan, self.labelled = plan, labelled
        self.steps, self.loss = 0, 0.0
        self._seed = f"{plan.seed}:{site}:{round_number}"
        self._calls = 0

    @property
    def layout(self) -> Layout:
        """Names the numbers of the vector."""
        return layout()

    def __call__(self, vector: Vector, *, pull: float = 0.0, drift: Vector | None = None) -> Trained:
        """Train from `vector`; the same plan, site, round and call give the same bits."""
        local = self.plan.training
        settings = TrainingSettings(
            steps=local.steps,
            batch=local.batch,
            learning_rate=local.learning_rate,
            weight_decay=local.weight_decay,
            optimizer=local.optimizer,
            feature_dropout=local.feature_dropout,
            augment=local.augment,
            pull=pull,
        )
        seed = seed_of(f"{self._seed}:{self._calls}")
        self._calls += 1
        trained = train(vector, self.labelled, settings, seed, drift=drift)
        self.steps += trained.steps
        self.loss = trained.loss
        return trained


def seed_of(text: str) -> int:
    """63 bits that look random, the same for the same text on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch add in one order: with more threads, other bits come out on other machines."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
