"""What a site does with an order, the same in every engine: train, evaluate or count, answer with bytes."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cryofed.disk.logs import write_log
from cryofed.errors import (
    AgreementError,
    CryoFedError,
    InputError,
    WireError,
)
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.rules import GuardRules, stricter
from cryofed.federation.site.guard.ledger import ledger_of, statement
from cryofed.federation.site.guard.pipeline import guard
from cryofed.federation.site.memory import SiteMemory, keep_answer, last_answer, load_memory, save_memory
from cryofed.federation.site.outbox import Outbox, failure_code
from cryofed.federation.site.statistics import MOST_DIGITS, Grid, local_statistics
from cryofed.federation.site.trainer import Trainer, one_thread
from cryofed.federation.strategies.registry import make_strategy
from cryofed.federation.wire.bounds import LOGIT, LOSS, MODELS
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import Answer, Numbers, Order, pack_numbers, unpack_order
from cryofed.federation.wire.parcels import pack_update
from cryofed.federation.wire.updates import NO_AUDIT, Update
from cryofed.learning.learner import evaluate, layout
from cryofed.learning.personalize import FEWEST, calibrated
from cryofed.learning.vector import Layout, Vector
from cryofed.library.labelled import Labelled
from cryofed.library.store import Library


class Source(Protocol):
    """Where a site's labelled averages come from."""

    @property
    def name(self) -> str:
        """By which the privacy ledger knows these records; never leaves the site."""
        ...

    @property
    def anchor(self) -> Path | None:
        """A file beside the library that says where its privacy ledger is."""
        ...

    def labelled(self, held_out: bool) -> Labelled:
        """The averages to train on, or those of the held-out projects."""
        ...

    def grids(self) -> Sequence[Grid]:
        """Pixel size and box of each job, as far as known."""
        ...


@dataclass(frozen=True, slots=True)
class InMemory:
    """A source for tests and simulation."""

    train: Labelled
    held_out: Labelled
    name: str = "memory"
    anchor: Path | None = None

    def labelled(self, held_out: bool) -> Labelled:
        """One of the two parts."""
        return self.held_out if held_out else self.train

    def grids(self) -> Sequence[Grid]:
        """Not known."""
        return ()


@dataclass(frozen=True, slots=True)
class LibraryFile:
    """A library, opened anew for every order: worker processes share no connection."""

    path: Path

    @property
    def name(self) -> str:
        """The file's whole path."""
        return str(self.path.resolve())

    @property
    def anchor(self) -> Path:
        """Beside the file."""
        path = self.path.resolve()
        return path.with_name(f"{path.name}.privacy")

    def labelled(self, held_out: bool) -> Labelled:
        """One of the library's two parts."""
        with Library(self.path) as library:
            return library.labelled(held_out)

    def grids(self) -> Sequence[Grid]:
        """Of the jobs with labels."""
        with Library(self.path) as library:
            jobs = [job for job in library.jobs() if job.labellings]
        return [Grid(job.pixel_size_angstrom, job.box, len(job.classes)) for job in jobs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site as its own machine knows it."""

    name: str
    source: Source
    folder: Path | None = None  # for what strategies keep, the log and the ledger; None keeps nothing
    policy: GuardRules = field(default_factory=GuardRules)  # what may leave; the stricter wins
    outbox: Outbox | None = None  # None: the site is in the coordinator's own process
    device: str = "cpu"  # where it computes, as `learning.device` names it; the same bits on a CPU only


SiteFunction = Callable[[Buffer, Plan, Site], Answer]


def answer(data: Buffer, plan: Plan, site: Site) -> Answer:
    """Answer an order. What goes wrong travels as a code only; the site's log has the words."""
    found = _answer(data, plan, site)
    if site.outbox is None:
        return found
    try:
        site.outbox.release(found, data, _facts(plan, site, bool(found.data)))
    except CryoFedError as error:  # what is not agreed, or cannot be written down, does not leave
        _log(site, str(error))
        return Answer(
            site=site.name, failure=failure_code(error) if isinstance(error, AgreementError) else "audit"
        )
    return found


def _facts(plan: Plan, site: Site, sent: bool) -> dict[str, Any]:
    """What stands beside each message in the audit."""
    rules = stricter(plan.guard, site.policy)
    told: dict[str, Any] = {"guard": asdict(rules), "privacy": None}
    if rules.private and sent and site.folder is not None:
        spends = ledger_of(site.folder, site.source.anchor).spends(site.source.name)
        told["privacy"] = asdict(statement(spends))
    return told


def _answer(data: Buffer, plan: Plan, site: Site) -> Answer:
    try:
        return Answer(site=site.name, data=_answered(data, plan, site))
    except CryoFedError as error:
        _log(site, str(error))
        return Answer(site=site.name, failure=failure_code(error))
    except Exception:  # our bug must cost the site its round, not the federation its campaign
        _log(site, traceback.format_exc())
        return Answer(site=site.name, failure="crashed")


def _log(site: Site, text: str) -> None:
    """Add to the site's own log."""
    if site.folder is not None:
        write_log(site.folder / "site.log", text)


def _answered(data: Buffer, plan: Plan, site: Site) -> bytes:
    order = unpack_order(data, MODELS * layout().size)
    if order.plan_hash != plan.hash:
        raise WireError("plan", "the order is of another plan than this site's")
    if order.layout_hash != layout().hash:
        raise WireError("layout", "the order is for another network than this site's")
    _hear(order, site)
    with one_thread():
        if order.task == "train":
            known = last_answer(site.folder, data)
            return known or keep_answer(site.folder, data, _train(order, plan, site, layout()))
        values = _told(order, plan, site) if site.policy.send_metrics else {}
    numbers = Numbers(
        site=site.name,
        task=order.task,
        round_number=order.round_number,
        model_hash=order.model_hash,
        values=values,
    )
    return pack_numbers(numbers)


def _hear(order: Order, site: Site) -> None:
    """A cut audit is told in the site's log, and by `site audit verify`; work goes on."""
    if site.outbox is not None:
        try:
            site.outbox.hear(order.acknowledged.get(site.name))
        except InputError as error:
            _log(site, str(error))


def _told(order: Order, plan: Plan, site: Site) -> Mapping[str, float]:
    """What the gate, or the coordinator's statistics, ask for."""
    if order.task == "evaluate":
        return _evaluated(order.vector, layout(), site, plan.gate.min_cell, calibrate=True)
    return local_statistics(site.source.labelled(held_out=False), site.source.grids(), plan.gate.min_cell)


def _train(order: Order, plan: Plan, site: Site, layout: Layout) -> bytes:
    strategy = make_strategy(plan.strategy.name, plan.strategy.parameters)
    if len(order.vector) != strategy.channels * layout.size:
        found = f"{len(order.vector)} numbers; {strategy.name} sends {strategy.channels} models"
        raise WireError("length", found)
    rules = stricter(plan.guard, site.policy)
    labelled = site.source.labelled(held_out=False)
    trainer = Trainer(order, plan, rules, site, labelled)
    memory = load_memory(site.folder, order)
    vector, kept = strategy.site_round(order.vector, memory.strategy, trainer)
    metrics = {}
    if rules.send_metrics and not rules.private:
        told = _evaluated(order.vector[: layout.size], layout, site, plan.gate.min_cell)
        metrics = {name: told[f"0.{name}"] for name in ("auc", "brier", "held_out") if f"0.{name}" in told}
        metrics["loss"] = LOSS.held(trainer.loss)
    update = Update(
        site=site.name,
        round_number=order.round_number,
        model_hash=order.model_hash,
        layout_hash=layout.hash,
        vector=vector,
        examples=len(labelled),
        steps=trainer.steps,
        metrics=metrics,
        audit_hash=NO_AUDIT if site.outbox is None else site.outbox.seal(),
    )
    # Batches hold every average once before any twice.
    seen = min(len(labelled), trainer.steps * plan.training.batch)
    guarded = guard(update, strategy.channels, rules, memory.guard, seen)
    save_memory(site.folder, order, SiteMemory(strategy=kept, guard=guarded.memory))
    return pack_update(guarded.update, guarded.encoded)


def _evaluated(
    vectors: Vector, layout: Layout, site: Site, min_cell: int, *, calibrate: bool = False
) -> Mapping[str, float]:
    """Metrics of each model on the site's held-out projects, `0.auc` and so on; nothing below `min_cell`.

    Rounded: models made for the purpose could else read single averages out of the last digits.
    """
    if len(vectors) % layout.size:
        raise WireError("length", "not a whole number of models")
    held_out = site.source.labelled(held_out=True)
    good = int(held_out.good.sum())
    if min(good, len(held_out) - good) < min_cell:
        return {}
    values: dict[str, float] = {}
    for index, vector in enumerate(np.split(vectors, len(vectors) // layout.size)):
        metrics = evaluate(vector, held_out, site.device)
        values |= {
            f"{index}.auc": round(metrics.auc, MOST_DIGITS),
            f"{index}.brier": round(metrics.brier, MOST_DIGITS),
            f"{index}.calibration_error": round(metrics.calibration_error, MOST_DIGITS),
            f"{index}.held_out": float(metrics.examples),
            f"{index}.good": float(metrics.good),
        }
        if calibrate and min(good, len(held_out) - good) >= FEWEST:
            fitted = calibrated(vector, held_out, device=site.device)
            values[f"{index}.slope"] = LOGIT.held(round(fitted.slope, MOST_DIGITS))
            values[f"{index}.offset"] = LOGIT.held(round(fitted.offset, MOST_DIGITS))
    return values
