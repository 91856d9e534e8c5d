"""What a site tells of a model on its held-out averages: coarse enough, counted, and noised where private."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from cryofed import __version__
from cryofed.errors import GuardError, WireError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.agreement.site_policy import AnswerRules
from cryofed.federation.site.guard.charging import charge
from cryofed.federation.site.guard.contents import content_hash
from cryofed.federation.site.guard.secret import secret_seed
from cryofed.federation.site.private_gate import MECHANISMS, GateNoise, private_answer
from cryofed.federation.site.questions import count_question, question
from cryofed.federation.wire.bounds import LOGIT
from cryofed.federation.wire.orders import Order
from cryofed.learning.calibrate import FEWEST, fit_of
from cryofed.learning.learner import evaluate, layout, plain_logits
from cryofed.learning.vector import Layout, Vector
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.sharpness import WEIGHT

BESIDE = ("auc", "brier", "held_out")  # that travel beside an update


class Home(Protocol):
    """A site, as far as its answers must know it."""

    @property
    def folder(self) -> Path | None:
        """Of ledger, key and counted questions."""
        ...

    @property
    def source(self) -> Averages:
        """The averages' source."""
        ...

    @property
    def device(self) -> str:
        """Where it computes."""
        ...

    @property
    def answers(self) -> AnswerRules:
        """The site's own."""
        ...


class Averages(Protocol):
    """A source of held-out averages."""

    @property
    def name(self) -> str:
        """Of the library."""
        ...

    @property
    def file(self) -> Path | None:
        """The library's file, None where there is none."""
        ...

    def labelled(self, held_out: bool) -> Labelled:
        """The averages of the held-out projects."""
        ...


def gate_answer(order: Order, plan: Plan, site: Home, rules: GuardRules) -> Mapping[str, float]:
    """The answer to an `evaluate` order: `0.auc` and so on.

    Raises:
        GuardError: the policy's budget of models, questions or privacy is spent.
        WireError: not a whole number of models.
    """
    size = layout().size
    if len(order.vector) % size:
        raise WireError("length", "not a whole number of models")
    if rules.private and not site.answers.noise:
        return {}
    models = np.split(order.vector, len(order.vector) // size)
    held_out = site.source.labelled(held_out=True)
    if not len(held_out):
        return {}
    data = content_hash(held_out)
    asked = question(order, models, data)
    fresh = count_question(site.folder, asked, site.answers)
    cell = max(plan.gate.min_cell, site.answers.min_cell)
    if not rules.private:
        return {
            f"{index}.{name}": value
            for index, model in enumerate(models)
            for name, value in told_metrics(model, held_out, cell, calibrate=True, device=site.device).items()
        }
    if site.folder is None:
        raise GuardError("ledger", "a private answer keeps a ledger; give the site a folder")
    if fresh:  # the same question has the same noise, and tells nothing new
        charge(
            site.folder,
            site.source,
            held_out,
            order,
            rate=1.0,
            noise=site.answers.noise,
            steps=MECHANISMS,
            most=rules.max_epsilon,
        )
    seed = secret_seed(
        site.folder, "gate", asked.key, data, site.answers.noise, cell, plan.gate.metric, __version__
    )
    noise = GateNoise(multiplier=site.answers.noise, min_cell=cell, secret_seed=seed)
    return private_answer(
        [plain_logits(model, held_out, site.device) for model in models],
        held_out.good,
        plan.gate.metric,
        noise,
    )


def counted_metrics(order: Order, plan: Plan, site: Home, layout: Layout) -> dict[str, float]:
    """Metrics of the received model, once for each round; none where the policy's budget is spent."""
    held_out = site.source.labelled(held_out=True)
    model = order.vector[: layout.size]
    if not len(held_out):
        return {}
    try:
        count_question(site.folder, question(order, [model], content_hash(held_out)), site.answers)
    except GuardError:
        return {}
    metrics = told_metrics(
        model, held_out, max(plan.gate.min_cell, site.answers.min_cell), device=site.device
    )
    return {name: metrics[name] for name in BESIDE if name in metrics}


def told_metrics(
    vector: Vector, held_out: Labelled, min_cell: int, *, calibrate: bool = False, device: str = "cpu"
) -> Mapping[str, float]:
    """Metrics of one model on these averages; nothing below `min_cell` good or bad ones.

    Given in steps of the most that one average can change them: models that are made for the purpose could
    else read single averages out of the last digits.
    """
    good = int(held_out.good.sum())
    fewest = min(good, len(held_out) - good)
    if fewest < max(min_cell, 1):
        return {}
    metrics = evaluate(vector, held_out, device)
    values = {
        "auc": in_steps(metrics.auc, fewest),
        "brier": in_steps(metrics.brier, fewest),
        "calibration_error": in_steps(metrics.calibration_error, fewest),
        "held_out": float(metrics.examples),
        "good": float(metrics.good),
    }
    if calibrate and fewest >= FEWEST:
        slope, offset = fit_of(vector, held_out, Calibration(sharpness=WEIGHT), device)
        values["slope"] = LOGIT.held(in_steps(slope, fewest))
        values["offset"] = LOGIT.held(in_steps(offset, fewest))
    return values


def in_steps(value: float, cell: int) -> float:
    """The nearest multiple of 1 / `cell`, halves up."""
    return round(math.floor(value * cell + 0.5) / cell, 6)
