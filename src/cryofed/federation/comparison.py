"""Plans side by side over seeds, on libraries of this machine: what a strategy is worth before it is deployed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cryofed.federation.engines.embedded import embedded
from cryofed.federation.engines.port import run_rounds
from cryofed.federation.orders import order
from cryofed.federation.plan import LocalTraining, Plan
from cryofed.federation.rounds import open_rounds
from cryofed.federation.site import Site, SiteFunction, answer
from cryofed.federation.site_learner import one_thread
from cryofed.federation.site_memory import load_memory
from cryofed.learning.learner import TrainingSettings, evaluate, layout, train
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How one run went, round by round."""

    auc: tuple[float, ...]  # of the common model on the common test, after each round
    sent_bytes: tuple[int, ...]  # by all sites together, cumulated
    received_bytes: tuple[int, ...]
    seconds: tuple[float, ...]  # cumulated, evaluation left out
    refused: int  # updates that admission turned away
    vector: Vector  # the common model at the end
    own: Mapping[str, Vector]  # the model that each site uses at the end; differs for personal strategies

    def reached(self, target: float) -> int | None:
        """The first round (from 1) at which the AUC is at least the target."""
        return next((number for number, auc in enumerate(self.auc, 1) if auc >= target), None)


def follow(
    plan: Plan,
    sites: Mapping[str, Site],
    start: Vector,
    test: Labelled,
    folder: Path,
    *,
    function: SiteFunction = answer,
    every: int = 1,
) -> Course:
    """Run a plan's rounds in this process and judge the common model after every `every` rounds.

    The path is that of a real run: orders and updates as bytes, guards, admission, checkpoints.

    Args:
        plan: its sites must be those of `sites`.
        sites: by name; where they have a folder, strategies keep their memory there.
        start: the model before round 1.
        test: what the common model is judged on.
        folder: empty or of the same run, which then goes on.
        function: what the sites do; attacks give another.
        every: rounds between evaluations; rounds in between repeat the last AUC.
    """
    auc: list[float] = []
    sent: list[int] = []
    seconds: list[float] = []
    refused = 0
    watch = time.perf_counter()

    def note(event: str, facts: Mapping[str, Any]) -> None:
        nonlocal refused, watch
        if event != "round_closed":
            return
        seconds.append(time.perf_counter() - watch)
        sent.append(sum(told["bytes"] for told in facts["accepted"].values()))
        refused += len(facts["refused"])
        number = int(facts["round"])
        if number % every == 0 or number == plan.rounds.count or not auc:
            with one_thread():
                auc.append(evaluate(rounds.vector, test).auc)
        else:
            auc.append(auc[-1])
        watch = time.perf_counter()

    shape = layout()
    with (
        embedded(plan, sites, function, inline=True) as carrier,
        open_rounds(folder, plan, shape, start, hooks=[note]) as rounds,
    ):
        run_rounds(rounds, carrier)
        message = rounds.strategy.message(rounds.progress.state)
        last = order("train", rounds.round_number, message, **rounds.hashes)
        own = {
            name: rounds.strategy.own_model(message, load_memory(site.folder, last).strategy, shape)
            for name, site in sites.items()
        }
        down = len(message) * 4 * len(sites)
        return Course(
            auc=tuple(auc),
            sent_bytes=tuple(int(b) for b in np.cumsum(sent)),
            received_bytes=tuple(down * (i + 1) for i in range(len(auc))),
            seconds=tuple(float(s) for s in np.cumsum(seconds)),
            refused=refused,
            vector=rounds.vector,
            own=own,
        )


def alone(labelled: Labelled, training: LocalTraining, steps: int, start: Vector, seed: int) -> Vector:
    """What one set of labels gives without a federation: pooled data, or one site for itself."""
    settings = TrainingSettings(
        steps=steps,
        batch=training.batch,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        optimizer=training.optimizer,
        feature_dropout=training.feature_dropout,
        augment=training.augment,
    )
    with one_thread():
        return train(start, labelled, settings, seed).vector


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n − 1; 0 for one value) over seeds."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
