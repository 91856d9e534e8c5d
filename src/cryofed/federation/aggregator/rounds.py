"""The rounds of a campaign as a state machine: engines carry, this decides."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cryofed.disk.lines import append_line, read_lines
from cryofed.disk.lock import sole_run
from cryofed.errors import FederationError, WireError
from cryofed.federation.aggregator.admission import Expected, admit
from cryofed.federation.aggregator.checkpoint import (
    Progress,
    load_attempts,
    load_progress,
    repair_report,
    save_attempts,
    save_progress,
)
from cryofed.federation.aggregator.hooks import Hook, tell
from cryofed.federation.aggregator.open_round import OpenRound, masked_report, round_report
from cryofed.federation.aggregator.proportion import in_proportion
from cryofed.federation.aggregator.quorum import Standing, needed, seconds_left
from cryofed.federation.aggregator.spool import Spool
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.strategies.registry import make_strategy
from cryofed.federation.strategies.strategy import State, Strategy
from cryofed.federation.wire.bounds import is_code
from cryofed.federation.wire.orders import Answer, Order, order
from cryofed.federation.wire.parcels import acknowledgement, unpack_update
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Layout, Vector, vector_hash

STALE = ("wrong_round", "wrong_model")  # an answer to an earlier order: the site's real one may still come


@contextmanager
def open_rounds(
    folder: Path,
    plan: Plan,
    layout: Layout,
    start: Vector,
    *,
    hooks: Sequence[Hook] = (),
    clock: Callable[[], float] = time.monotonic,
    patient: bool = False,
) -> Iterator[Rounds]:
    """The rounds that live in `folder`: begun there, or resumed where the last run was stopped or killed.

    `patient` waits for every asked site, whatever the clock says: for an engine that itself gives an
    answer for each, and whose sites wait for each other's processor.

    Raises:
        FederationError: another run holds the folder, or it belongs to another plan or start.
    """
    with sole_run(folder):
        yield Rounds(folder, plan, layout, start, hooks=hooks, clock=clock, patient=patient)


class Rounds:
    """Owns the folder's checkpoint, spool and report. Use `open_rounds`; methods may be called by threads."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        layout: Layout,
        start: Vector,
        *,
        hooks: Sequence[Hook],
        clock: Callable[[], float],
        patient: bool,
    ) -> None:
        self.folder, self.plan, self.layout = folder, plan, layout
        self.strategy: Strategy = make_strategy(plan.strategy.name, plan.strategy.parameters)
        self._hooks, self._clock, self._patient = hooks, clock, patient
        self._guard = threading.RLock()
        self._open: OpenRound | None = None
        self._checkpoint = folder / "checkpoint.safetensors"
        identity = {"plan": plan.hash, "layout": layout.hash, "start": vector_hash(start)}
        known = load_progress(self._checkpoint, identity)
        self.progress = known or self._saved(
            Progress(state=self.strategy.start(start), previous=start, identity=identity)
        )
        repair_report(folder / "rounds.jsonl", self.progress)
        self.acknowledged: dict[str, str] = {}  # by site, its last update that counted; sites hear of it
        for report in read_lines(folder / "rounds.jsonl"):
            self._acknowledge(report)
        self._attempts = load_attempts(folder / "attempts.json", self.round_number)
        self.spool = Spool(folder / "spool")
        self._tell("resumed" if known else "started", {"round": self.round_number, "plan": plan.hash})

    @property
    def round_number(self) -> int:
        """The round that runs, or comes next; from 1."""
        return self.progress.state.round_number + 1

    @property
    def finished(self) -> bool:
        """Whether the campaign's rounds are done."""
        return bool(self.progress.stopped) or self.round_number > self.plan.rounds.count

    @property
    def vector(self) -> Vector:
        """The common model after the last closed round."""
        return self.progress.state.vector

    @property
    def hashes(self) -> dict[str, str]:
        """What every order of this campaign names."""
        known = self.progress.identity
        return {"plan_hash": known["plan"], "start_hash": known["start"], "layout_hash": known["layout"]}

    def begin(self, present: Sequence[str]) -> tuple[Order, tuple[str, ...]]:
        """Open the next round: the order, and whom to send it to (some may have answered before a crash).

        Args:
            present: sites that the engine could reach now.

        Raises:
            FederationError: fewer sites than the quorum.
        """
        with self._guard:
            plan, number = self.plan, self.round_number
            there = [name for name in plan.site_names if name in set(present)]
            if len(there) < min(plan.rounds.min_updates, len(plan.site_names)) or not there:
                raise FederationError(
                    f"round {number}: {len(there)} of {len(plan.site_names)} sites are there and the quorum "
                    f"is {plan.rounds.min_updates}; start the sites, then run again to resume"
                )
            message = self.strategy.message(self.progress.state)
            sent = order("train", number, message, **self.hashes)
            sent = replace(sent, acknowledged=dict(self.acknowledged))
            self.spool.keep_only(number, sent.model_hash)
            self._attempts = self._attempts.next(number)
            attempt = self._attempts.current
            if attempt > 1:
                save_attempts(self.folder / "attempts.json", self._attempts)
            asked = tuple(sorted({*self._drawn(there, attempt), *self.spool.sites}))
            self._open = OpenRound(sent, asked, self._clock(), attempt)
            self._note_quorum()
            self._tell("round_started", {"round": number, "attempt": attempt, "asked": list(asked)})
            return sent, tuple(name for name in asked if name not in self.spool.sites)

    def receive(self, answer: Answer) -> str | None:
        """Take a site's answer: None where its update is accepted, else the code that the site may read."""
        with self._guard:
            now = self._running()
            if not answer.data:
                code = answer.failure or "no_update"
                code = code if is_code(code) else "malformed"
                self.lose(answer.site, code)
                return code
            update, code = self._opened(answer, now)
            facts = {"round": now.order.round_number, "site": answer.site}
            if update is None:
                if answer.site in now.asked and answer.site not in self.spool.sites:
                    now.refused[answer.site] = code
                self._tell("update_refused", facts | {"reason": code})
                return code
            now.refused.pop(answer.site, None)
            now.lost.pop(answer.site, None)
            self.spool.add(update, len(answer.data), acknowledgement(answer.data, update.audit_hash))
            self._note_quorum()
            self._tell("update_accepted", facts | {"examples": update.examples, **update.metrics})
            return None

    def lose(self, site: str, code: str) -> None:
        """The engine or the site says that no update comes."""
        with self._guard:
            now = self._running()
            if site in now.asked and site not in self.spool.sites and site not in now.refused:
                now.lost[site] = code
                self._tell("site_lost", {"round": now.order.round_number, "site": site, "reason": code})

    @property
    def ready(self) -> tuple[str, ...]:
        """Under masks: the sites that have trained in the round that runs, sorted."""
        with self._guard:
            return tuple(sorted(self._running().ready))

    def trained(self, site: str) -> None:
        """Under masks: this site has trained and keeps its update."""
        with self._guard:
            now = self._running()
            if site in now.asked:
                now.ready.add(site)
                now.lost.pop(site, None)
                self._note_quorum()
                self._tell("site_trained", {"round": now.order.round_number, "site": site})

    def drop(self, site: str, code: str) -> None:
        """Under masks: this site is out of the round, whatever it has done so far."""
        with self._guard:
            self._running().ready.discard(site)
            self.lose(site, code if is_code(code) else "malformed")

    def seconds_left(self) -> float:
        """How long the engine may wait for another answer; at 0 call `close`."""
        with self._guard:
            now = self._running()
            since = None if now.quorum_at is None else now.quorum_at - now.began
            standing = Standing(
                asked=len(now.asked),
                accepted=len({*self.spool.sites, *now.ready}),
                gone=len(now.lost.keys() | {site for site in now.refused if self._final(now, site)}),
                elapsed_s=self._clock() - now.began,
                quorum_at_s=since,
            )
            left = seconds_left(standing, self.plan.rounds)
            everybody = standing.accepted + standing.gone >= standing.asked
            return math.inf if self._patient and not everybody else left

    def close(self) -> bool:
        """Combine, checkpoint and report; False where the quorum was missed and the round comes again.

        Raises:
            FederationError: no quorum after all retries.
        """
        with self._guard:
            now = self._running()
            silent = set(now.asked) - {*self.spool.sites, *now.refused, *now.lost, *now.ready}
            now.lost |= dict.fromkeys(sorted(silent), "late")
            self._open = None
            if len(self.spool.sites) < needed(self.plan.rounds, len(now.asked)):
                return self._fail(now)
            before = self.progress.state.vector
            updates = in_proportion(self.spool, self.layout.size, self.plan.admission.times_median)
            state = self._combined(now, updates)
            self._closed(now, state, round_report(now, updates, self.layout.size, before, state.vector))
            return True

    def close_masked(self, mean: Vector, weight: float, sizes: Mapping[str, int]) -> None:
        """Combine the sum of a masked round, checkpoint and report.

        Args:
            mean: weighted mean of the updates of all sites in `sizes`; nothing else is known of them.
            weight: sum of their weights.
            sizes: bytes that each of them sent.
        """
        with self._guard:
            now = self._running()
            self._open = None
            before = self.progress.state.vector
            together = Update(
                site="sum",
                round_number=now.order.round_number,
                model_hash=now.order.model_hash,
                layout_hash=self.layout.hash,
                vector=mean,
                examples=max(1, round(weight)),
                steps=self.plan.training.steps,
            )
            state = self._combined(now, [together])
            self._closed(now, state, masked_report(now, sizes, weight, before, state.vector))

    def _combined(self, now: OpenRound, updates: Iterable[Update]) -> State:
        state = self.strategy.combine(self.progress.state, updates)
        if not np.isfinite(state.vector).all():
            raise FederationError(
                f"round {now.order.round_number}: {self.strategy.name} gave a model that is not finite; "
                "lower its learning rate, or admission.max_norm"
            )
        return state

    def _closed(self, now: OpenRound, state: State, report: dict[str, Any]) -> None:
        report |= {"plan": self.plan.hash, "strategy": self.strategy.name}
        report["seconds"] = round(self._clock() - now.began, 3)
        self.progress = self._saved(self.progress.after(state, report, self.plan.rounds.patience))
        append_line(self.folder / "rounds.jsonl", report)
        self._acknowledge(report)
        self._tell("round_closed", report)
        if self.finished:
            self._tell("finished", {"round": state.round_number, "why": self.progress.stopped or "all"})

    def _acknowledge(self, report: Mapping[str, Any]) -> None:
        for site, facts in report["accepted"].items():
            if "acknowledged" in facts:
                self.acknowledged[site] = facts["acknowledged"]

    def _drawn(self, there: Sequence[str], attempt: int) -> Sequence[str]:
        """The sites to ask: the same for the same seed, round, attempt and presence."""
        count = self.plan.rounds.sites_per_round
        if 0 < count < len(there):
            chance = random.Random(f"{self.plan.seed}:{self.round_number}:{attempt - 1}")
            there = sorted(chance.sample(there, count))
        return self.strategy.schedule(self.round_number, there)

    def _opened(self, answer: Answer, now: OpenRound) -> tuple[Update | None, str]:
        """The update in an answer, if it may be used; else the code."""
        expected = Expected(
            round_number=now.order.round_number,
            model_hash=now.order.model_hash,
            layout_hash=self.layout.hash,
            size=self.layout.size,
            channels=self.strategy.channels,
            asked=now.asked,
        )
        try:
            update = unpack_update(answer.data, expected.channels * expected.size)
        except WireError as error:
            return None, f"wire-{error.code}"
        if update.site != answer.site:
            return None, "wrong_site"
        code = admit(update, expected, self.plan, self.spool.sites)
        return (None, code) if code else (update, "")

    def _final(self, now: OpenRound, site: str) -> bool:
        """Whether a refusal was the site's answer; a stale one is not, unless the engine carries one each."""
        return self._patient or now.refused[site] not in STALE

    def _note_quorum(self) -> None:
        now = self._running()
        here = {*self.spool.sites, *now.ready}
        if now.quorum_at is None and len(here) >= needed(self.plan.rounds, len(now.asked)):
            now.quorum_at = self._clock()

    def _fail(self, now: OpenRound) -> bool:
        why = {**now.refused, **now.lost}
        facts = {"round": now.order.round_number, "attempt": now.attempt, "missing": why}
        self._tell("round_failed", facts)
        if self._attempts.own > self.plan.rounds.retries:
            save_attempts(self.folder / "attempts.json", replace(self._attempts, given_up=now.attempt))
            words = ", ".join(f"{site} {code}" for site, code in sorted(why.items()))
            raise FederationError(
                f"round {now.order.round_number}: {len(self.spool.sites)} updates, the quorum is "
                f"{needed(self.plan.rounds, len(now.asked))} ({words}); "
                "see to these sites, then run again to resume"
            )
        return False

    def _running(self) -> OpenRound:
        if self._open is None:
            raise FederationError("no round is open; an engine must call begin first")
        return self._open

    def _saved(self, progress: Progress) -> Progress:
        """The same, as maps of the checkpoint: between rounds no vector is in memory that the disk has."""
        save_progress(self._checkpoint, progress)
        return load_progress(self._checkpoint, progress.identity) or progress

    def _tell(self, event: str, facts: Mapping[str, Any]) -> None:
        tell(self._hooks, event, facts)
