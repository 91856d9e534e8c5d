"""What a site does with an order, the same in every engine: train, evaluate or count, answer with bytes."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cryofed.disk.logs import write_log
from cryofed.errors import (
    AgreementError,
    CryoFedError,
    GuardError,
    InputError,
    WireError,
    of_place,
)
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.rules import GuardRules, stricter
from cryofed.federation.agreement.site_policy import AnswerRules, WorkRules
from cryofed.federation.site.attesting import Claim, Witness, answer_attest, answer_challenge, check_attested
from cryofed.federation.site.evaluating import counted_metrics, gate_answer
from cryofed.federation.site.guard.charging import spent
from cryofed.federation.site.guard.contents import content_hash
from cryofed.federation.site.guard.drawing import drawn
from cryofed.federation.site.guard.pipeline import guard
from cryofed.federation.site.masked import Signet, answer_paper, keep
from cryofed.federation.site.memory import SiteMemory, keep_answer, last_answer, load_memory, save_memory
from cryofed.federation.site.outbox import Outbox, failure_code
from cryofed.federation.site.questions import count_question, question
from cryofed.federation.site.statistics import Grid, local_statistics
from cryofed.federation.site.trainer import Trainer, one_thread
from cryofed.federation.strategies.registry import make_strategy
from cryofed.federation.wire.bounds import LOSS, MODELS
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import Answer, Numbers, Order, pack_numbers, unpack_order
from cryofed.federation.wire.papers import MASK_STEPS, SITE_STEP, Sealed, pack_sealed, unpack_paper
from cryofed.federation.wire.parcels import PAPER_SCHEMA, pack_update, schema_of
from cryofed.federation.wire.updates import NO_AUDIT, Update
from cryofed.learning.learner import layout
from cryofed.learning.vector import Layout
from cryofed.library.labelled import Labelled
from cryofed.library.store import Library


class Source(Protocol):
    """Where a site's labelled averages come from."""

    @property
    def name(self) -> str:
        """By which the privacy ledger knows these records; never leaves the site."""
        ...

    @property
    def file(self) -> Path | None:
        """The library's file, in which its privacy ledger is anchored; None where there is none."""
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
    file: Path | None = None

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
    def file(self) -> Path:
        """The same."""
        return self.path

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
    answers: AnswerRules = field(default_factory=AnswerRules)  # what gate and statistics are told
    work: WorkRules = field(default_factory=WorkRules)  # what a plan may ask for
    device: str = "cpu"  # where it computes, as `learning.device` names it; the same bits on a CPU only
    signet: Signet | None = None  # of a federation under masks
    witness: Witness | None = None  # of an attested one
    claim: Claim | None = None  # of one whose sites prove themselves


SiteFunction = Callable[[Buffer, Plan, Site], Answer]


def answer(data: Buffer, plan: Plan, site: Site) -> Answer:
    """Answer an order. What goes wrong travels as a code only; the site's log has the words."""
    reply = _answer(data, plan, site)
    if site.outbox is None:
        return reply
    try:
        site.outbox.release(reply, data, _facts(plan, site, bool(reply.data)))
    except CryoFedError as error:  # what is not agreed, or cannot be written down, does not leave
        _log(site, str(error))
        return Answer(
            site=site.name, failure=failure_code(error) if isinstance(error, AgreementError) else "audit"
        )
    return reply


def _facts(plan: Plan, site: Site, sent: bool) -> dict[str, Any]:
    """What stands beside each message in the audit."""
    rules = stricter(plan.guard, site.policy)
    facts: dict[str, Any] = {"guard": asdict(rules), "privacy": None}
    if rules.private and sent and site.folder is not None:
        facts["privacy"] = asdict(spent(site.folder, site.source))
    return facts


def _answer(data: Buffer, plan: Plan, site: Site) -> Answer:
    try:
        return Answer(site=site.name, data=_answered(data, plan, site))
    except CryoFedError as error:
        _log(site, str(error))
        return Answer(site=site.name, failure=failure_code(error))
    except OSError as error:
        message = of_place(error)
        _log(site, traceback.format_exc() if message is None else str(message))
        return Answer(site=site.name, failure="crashed" if message is None else "site_error")
    except Exception:  # our bug must cost the site its round, not the federation its campaign
        _log(site, traceback.format_exc())
        return Answer(site=site.name, failure="crashed")


def _log(site: Site, text: str) -> None:
    """Add to the site's own log."""
    if site.folder is not None:
        write_log(site.folder / "site.log", text)


def _answered(data: Buffer, plan: Plan, site: Site) -> bytes:
    if schema_of(data) == PAPER_SCHEMA:
        paper = unpack_paper(data)
        if (paper.plan_hash, paper.layout_hash) != (plan.hash, layout().hash):
            raise WireError("plan", "the step is of another plan or network than this site's")
        if paper.task in MASK_STEPS:
            check_attested(plan, site.folder, site.witness)
            return answer_paper(paper, plan, site.name, site.folder, site.signet)
        if paper.task == SITE_STEP:
            check_attested(plan, site.folder, site.witness)
            content = answer_attest(paper, plan, site.name, site.claim)
        else:
            content = answer_challenge(paper, plan, site.folder, site.witness)
        number, model = paper.round_number, paper.model_hash
        return pack_sealed(
            Sealed(site=site.name, task=paper.task, round_number=number, model_hash=model, content=content)
        )
    check_attested(plan, site.folder, site.witness)
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
        values = _told(order, plan, site)
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
    if not site.policy.send_metrics:
        return {}
    rules = stricter(plan.guard, site.policy)
    if order.task == "evaluate":
        return gate_answer(order, plan, site, rules)
    if rules.private:
        return {}
    labelled = site.source.labelled(held_out=False)
    count_question(site.folder, question(order, [], content_hash(labelled)), site.answers)
    return local_statistics(labelled, site.source.grids(), max(plan.gate.min_cell, site.answers.min_cell))


def _train(order: Order, plan: Plan, site: Site, layout: Layout) -> bytes:
    strategy = make_strategy(plan.strategy.name, plan.strategy.parameters)
    if len(order.vector) != strategy.channels * layout.size:
        found = f"{len(order.vector)} numbers; {strategy.name} sends {strategy.channels} models"
        raise WireError("length", found)
    rules = stricter(plan.guard, site.policy)
    masked = plan.masked
    if rules.mask != "none" and not masked:
        raise GuardError("mask", "this site's policy asks for masks, and the agreed profile has none")
    if masked and rules.codec != "float32":
        raise GuardError("mask", f"this site's policy asks for codec {rules.codec}, which masks cannot carry")
    labelled = site.source.labelled(held_out=False)
    part = drawn(labelled, site.folder, share=rules.project_share, least=site.policy.min_examples)
    trainer = Trainer(order, plan, rules, site, part)
    memory = load_memory(site.folder, order)
    vector, kept = strategy.site_round(order.vector, memory.strategy, trainer)
    metrics = {}
    if rules.send_metrics and not rules.private:
        metrics = dict(counted_metrics(order, plan, site, layout))
        if not rules.noised:  # that of the batches would tell what the noise hides
            metrics["loss"] = LOSS.held(trainer.loss)
    update = Update(
        site=site.name,
        round_number=order.round_number,
        model_hash=order.model_hash,
        layout_hash=layout.hash,
        vector=vector,
        # All that the site has: what was drawn would tell of the draw.
        examples=_told_examples(plan, site, trainer.steps) if rules.private else len(labelled),
        steps=trainer.steps,
        metrics=metrics,
        audit_hash=NO_AUDIT if site.outbox is None else site.outbox.seal(),
    )
    # Batches hold every average once before any twice.
    seen = min(len(part), trainer.steps * plan.training.batch)
    guarded = guard(update, strategy.channels, rules, memory.guard, seen)
    save_memory(site.folder, order, SiteMemory(strategy=kept, guard=guarded.memory))
    if masked:
        return keep(guarded.update, order, plan, site.folder)
    return pack_update(guarded.update, guarded.encoded)


def _told_examples(plan: Plan, site: Site, steps: int) -> int:
    """What stands beside a private update: the plan's own numbers, for the site's count is not private."""
    drawn = steps * plan.training.batch
    enrolled = plan.site(site.name)
    return min(drawn, enrolled.max_examples) if enrolled and enrolled.max_examples else drawn
