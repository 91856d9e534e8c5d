"""A site's training as strategies see it: seeded by plan, site and round, on one thread."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch

from cryofed import __version__
from cryofed.errors import GuardError
from cryofed.federation.agreement.plan import LocalTraining, Plan
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.agreement.site_policy import WorkRules
from cryofed.federation.site.guard.charging import Named, charge
from cryofed.federation.site.guard.contents import content_hash
from cryofed.federation.site.guard.secret import secret_seed
from cryofed.federation.wire.orders import Order
from cryofed.learning.learner import Trained, TrainingSettings, layout, train
from cryofed.learning.vector import Layout, Vector, vector_hash
from cryofed.library.labelled import Labelled


class Trainer:
    """Trains on one site's averages in one round; counts what it did."""

    def __init__(self, order: Order, plan: Plan, rules: GuardRules, site: Place, labelled: Labelled) -> None:
        self.order, self.plan, self.rules, self.site, self.labelled = order, plan, rules, site, labelled
        self.steps, self.loss = 0, 0.0
        self._calls = 0
        self._end = time.monotonic() + site.work.max_seconds

    @property
    def layout(self) -> Layout:
        """Names the numbers of the vector."""
        return layout()

    def __call__(self, vector: Vector, *, pull: float = 0.0, drift: Vector | None = None) -> Trained:
        """Train from `vector`; the same order, plan, site and call give the same bits on a CPU."""
        rate = self.plan.learning_rate(self.order.round_number)
        settings = training_settings(self.plan.training, learning_rate=rate, pull=pull)
        self._calls += 1
        check_work(settings, self.steps, self.site.work)
        if self.rules.private or self.rules.noised:
            trained = self._noised(vector, settings, drift)
        else:
            seed = seed_of(f"{self.plan.seed}:{self.site.name}:{self.order.round_number}:{self._calls}")
            trained = train(
                vector,
                self.labelled,
                settings,
                seed,
                drift=drift,
                device=self.site.device,
                progress=self._in_time,
            )
        self.steps += trained.steps
        self.loss = trained.loss
        return trained

    def _in_time(self, step: int, loss: float) -> None:
        if time.monotonic() > self._end:
            found = f"{self.site.work.max_seconds:g} s were over after {step} steps"
            raise GuardError("seconds", f"{found}; raise work.max_seconds, or ask for a lighter plan")

    def _noised(self, vector: Vector, settings: TrainingSettings, drift: Vector | None) -> Trained:
        """DP-SGD; where it is private, charged to the site's ledger before it begins."""
        from cryofed.learning.private import Privacy, sampling_rate, train_privately

        if self.site.folder is None:
            raise GuardError("ledger", "noised training keeps a key and a ledger; give the site a folder")
        if self.rules.private:
            charge(
                self.site.folder,
                self.site.source,
                self.labelled,
                self.order,
                rate=sampling_rate(len(self.labelled), settings),
                noise=self.rules.noise_multiplier,
                steps=settings.steps,
                most=self.rules.max_epsilon,
            )
        # All that the training depends on: two trainings that differ in anything have unlike noise.
        seed = secret_seed(
            self.site.folder,
            content_hash(self.labelled),
            vector_hash(vector),
            "" if drift is None else vector_hash(drift),
            sorted(asdict(settings).items()),
            sorted(asdict(self.rules).items()),
            self.plan.hash,
            self.order.plan_hash,
            self.order.round_number,
            self.order.model_hash,
            self._calls,
            __version__,  # another CryoFed may train otherwise
        )
        privacy = Privacy(
            noise_multiplier=self.rules.noise_multiplier,
            sample_norm=self.rules.sample_norm,
            secret_seed=seed,
        )
        return train_privately(
            vector,
            self.labelled,
            settings,
            privacy,
            drift=drift,
            device=self.site.device,
            progress=self._in_time,
        )


def check_work(settings: TrainingSettings, done: int, most: WorkRules) -> None:
    """Refuse a training that the site's policy does not allow, before it begins.

    Args:
        settings: what is to be done now.
        done: steps of this round that were done already: a strategy may train more than once.
        most: the policy's `[work]`.

    Raises:
        GuardError: names the field of the plan and that of the policy.
    """
    faults = (
        ("steps", done + settings.steps, done + settings.steps > most.max_steps, "max_steps"),
        ("batch", settings.batch, settings.batch > most.max_batch, "max_batch"),
        (
            "learning_rate",
            settings.learning_rate,
            not settings.learning_rate <= most.max_learning_rate,
            "max_learning_rate",
        ),
        ("optimizer", settings.optimizer, settings.optimizer not in most.allowed, "optimizers"),
    )
    for field, found, wrong, rule in faults:
        if wrong:
            raise GuardError(
                "work", f"the plan's training.{field} is {found}; this site's policy: work.{rule}"
            )


def training_settings(training: LocalTraining, **changes: Any) -> TrainingSettings:
    """The plan's training as the learner takes it, which knows nothing of rounds; `changes` come over it."""
    settings = asdict(training)
    del settings["last_rate"]
    return TrainingSettings(**settings | changes)


class Place(Protocol):
    """A site, as far as its training must know it."""

    @property
    def name(self) -> str:
        """Of the site."""
        ...

    @property
    def folder(self) -> Path | None:
        """Of ledger and key."""
        ...

    @property
    def source(self) -> Named:
        """The averages' source."""
        ...

    @property
    def work(self) -> WorkRules:
        """The most that it does in a round."""
        ...

    @property
    def device(self) -> str:
        """Where it computes, as `learning.device` names it."""
        ...


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
