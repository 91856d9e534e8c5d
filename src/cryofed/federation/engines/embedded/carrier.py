"""The embedded engine: all sites on this machine, each order answered in a worker process."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from cryofed.errors import InputError
from cryofed.federation.aggregator.campaign import Campaign, run_campaign
from cryofed.federation.aggregator.hooks import Hook
from cryofed.federation.agreement.masking import Seal
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.site_policy import AnswerRules
from cryofed.federation.engines.embedded import EmbeddedRules
from cryofed.federation.site.answering import LibraryFile, Site, SiteFunction, answer
from cryofed.federation.site.masked import Signet
from cryofed.federation.wire.orders import Answer, unpack_order
from cryofed.federation.wire.parcels import PAPER_SCHEMA, schema_of
from cryofed.learning.device import device_of
from cryofed.workers import end_with_parent


@contextmanager
def embedded(
    plan: Plan, sites: Mapping[str, Site], function: SiteFunction = answer, *, inline: bool = False
) -> Iterator[InlineCarrier | WorkerCarrier]:
    """The engine's carrier for these sites.

    Args:
        plan: its `[embedded]` table says how many workers, and the share of sites that drop out; for
            other dropouts in a second attempt, give the carrier's `dropouts.note` to the rounds as a hook.
        sites: by name.
        function: what a site does with an order; tests give their own. Importable by name, for workers.
        inline: answer in this process, one site after the other: for small work, where starting
            processes costs more than they save. A hanging or crashing site then hangs or crashes all.
    """
    if inline:
        yield InlineCarrier(plan, sites, function)
        return
    carrier = WorkerCarrier(plan, sites, function, plan.table(EmbeddedRules).workers or cores())
    try:
        yield carrier
    finally:
        carrier.close()


def run_plan(plan: Plan, plan_path: Path, home: Path, hooks: Sequence[Hook] = ()) -> Campaign:
    """One campaign with the sites on this machine; `plan_path` is where relative library paths begin.

    Raises:
        InputError: a site of the plan has no library, or its device is not there.
        FederationError: see `run_campaign`.
    """
    device = device_of(plan.table(EmbeddedRules).device).type
    sites = {}
    for enrolled in plan.sites:
        path = plan_path.parent / enrolled.library
        if not enrolled.library or not path.is_file():
            found = f"{enrolled.name}: {'none' if not enrolled.library else f'no file {path}'}"
            raise InputError(plan_path, "sites.library", found, "name the site's library file")
        folder = home / "sites" / enrolled.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sites[enrolled.name] = Site(
            name=enrolled.name,
            source=LibraryFile(path),
            folder=folder,
            answers=_answers(plan),
            device=device,
        )
    seal = None
    if plan.masked:
        sites, seal = with_signets(plan, sites)
    with embedded(plan, sites) as carrier:
        all_hooks = [carrier.dropouts.note, *hooks]
        return run_campaign(home, plan, carrier, all_hooks, patient=True, seal=seal)


def with_signets(plan: Plan, sites: Mapping[str, Site]) -> tuple[dict[str, Site], Seal]:
    """The sites with keys of their own, made in their folders where there are none yet."""
    from cryofed.trust.keys import key_fingerprint, make_key, need_cryptography, read_key

    need_cryptography()
    keys = {}
    for name, site in sites.items():
        if site.folder is None:
            raise InputError("plan", "profile", "masked", f"give {name} a folder: it keeps a ledger of masks")
        keys[name] = site.folder / "key.pem"
        if not keys[name].exists():
            make_key(keys[name], "ec")
    signets = {name: key_fingerprint(read_key(path).public_key()) for name, path in keys.items()}
    seal = Seal(agreement=plan.hash, identities=signets)
    return {name: replace(site, signet=Signet(seal, keys[name])) for name, site in sites.items()}, seal


def _answers(plan: Plan) -> AnswerRules:
    """All libraries are this person's: a plan that compares the sites' models has them evaluated."""
    rules = AnswerRules()
    more = 1 + len(plan.sites) if plan.gate.cross_site else 0
    return replace(rules, max_models=rules.max_models + more, max_queries=rules.max_queries + more)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


class InlineCarrier:
    """Answers when it is waited for, in this process."""

    def __init__(self, plan: Plan, sites: Mapping[str, Site], function: SiteFunction) -> None:
        self.plan, self.sites, self.function = plan, sites, function
        self.dropouts = Dropouts(plan)
        self._order, self._waiting, self._dropped = b"", deque[str](), set[str]()

    def present(self) -> Sequence[str]:
        """All sites."""
        return sorted(self.sites)

    def ask(self, order: bytes, sites: Sequence[str]) -> None:
        """Queue the sites."""
        self._order, self._waiting = order, deque(sites)
        self._dropped = self.dropouts.of(order, sites)

    def answer(self, timeout_s: float) -> Answer | None:
        """The next site's answer."""
        if not self._waiting:
            time.sleep(timeout_s)
            return None
        name = self._waiting.popleft()
        if name in self._dropped:
            return Answer(site=name, failure="dropout")
        return self.function(self._order, self.plan, self.sites[name])

    def dismiss(self) -> None:
        """Forget the queue."""
        self._waiting.clear()


class Worker:
    """One process that answers one order at a time."""

    def __init__(self, plan: Plan, function: SiteFunction) -> None:
        # A fork server starts clean: forking this process, with torch's threads in it, could hang.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([function.__module__])
        self.pipe, theirs = context.Pipe()
        self.process: ForkServerProcess = context.Process(
            target=_work, args=(theirs, plan, function), daemon=True
        )
        self.process.start()
        theirs.close()
        self.site = ""  # whom it answers for; "" while idle
        self.since: float | None = None  # when it began to; None while the process still starts
        self.started = False

    def give(self, order: bytes, site: Site) -> None:
        """Let it answer for this site."""
        self.site, self.since = site.name, time.monotonic() if self.started else None
        self.pipe.send_bytes(order)
        self.pipe.send(site)

    def take(self) -> Answer | None:
        """Its answer, or that it died; None for the word that the process has started."""
        try:
            given = self.pipe.recv()
        except (EOFError, ConnectionError):
            self.stop()
            return Answer(site=self.site, failure="crashed")
        if not isinstance(given, Answer):
            self.started, self.since = True, time.monotonic()
            return None
        self.site = ""
        return given

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


class WorkerCarrier:
    """Owns the worker processes; the order of answers does not matter, for updates are combined by name."""

    def __init__(self, plan: Plan, sites: Mapping[str, Site], function: SiteFunction, workers: int) -> None:
        self.plan, self.sites, self.function = plan, sites, function
        self.dropouts = Dropouts(plan)
        self._workers: list[Worker] = []
        self._limit = max(1, min(workers, len(sites)))
        self._order, self._waiting, self._ready = b"", deque[str](), deque[Answer]()

    def present(self) -> Sequence[str]:
        """All sites."""
        return sorted(self.sites)

    def ask(self, order: bytes, sites: Sequence[str]) -> None:
        """Queue the sites and let every idle worker begin."""
        gone = self.dropouts.of(order, sites)
        self._order = order
        self._ready = deque(Answer(site=name, failure="dropout") for name in sorted(gone))
        self._waiting = deque(name for name in sites if name not in gone)
        self._assign()

    def answer(self, timeout_s: float) -> Answer | None:
        """The next answer of any worker."""
        if self._ready:
            return self._ready.popleft()
        self._end_late()
        self._assign()
        busy: dict[Connection, Worker] = {worker.pipe: worker for worker in self._workers if worker.site}
        if self._ready:
            return self._ready.popleft()
        if not busy:
            time.sleep(timeout_s)
        for pipe in wait(list(busy), timeout_s) if busy else ():
            worker = busy[pipe]  # type: ignore[index]  # wait returns what it was given
            answer = worker.take()
            if answer:
                self._ready.append(answer)
            if worker.pipe.closed:
                self._workers.remove(worker)
        self._assign()
        return self._ready.popleft() if self._ready else None

    def dismiss(self) -> None:
        """Forget the queue and end the workers that are still busy: they hang, or are too late."""
        self._waiting.clear()
        self._ready.clear()
        for worker in [worker for worker in self._workers if worker.site]:
            worker.stop()
            self._workers.remove(worker)

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.stop()
        self._workers = []

    def _end_late(self) -> None:
        """A site's deadline counts from when its worker began: until then it waits for a core, not late."""
        for worker in list(self._workers):
            since = worker.since if worker.site else None
            if since is not None and time.monotonic() - since > self.plan.rounds.deadline_s:
                self._ready.append(Answer(site=worker.site, failure="late"))
                worker.stop()
                self._workers.remove(worker)

    def _assign(self) -> None:
        while self._waiting:
            idle = next((worker for worker in self._workers if not worker.site), None)
            if idle is None:
                if len(self._workers) >= self._limit:
                    return
                idle = Worker(self.plan, self.function)
                self._workers.append(idle)
            idle.give(self._order, self.sites[self._waiting.popleft()])


class Dropouts:
    """Which of the asked sites a simulation lets drop out: drawn anew for every attempt at a round."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._attempt = 1

    def note(self, event: str, facts: Mapping[str, Any]) -> None:
        """A hook of the rounds: which attempt comes next."""
        if event == "round_started":
            self._attempt = int(facts["attempt"])

    def of(self, order: bytes, sites: Sequence[str]) -> set[str]:
        """The same for the same seed, round and attempt."""
        share = self.plan.table(EmbeddedRules).dropout
        if share <= 0 or schema_of(order) == PAPER_SCHEMA:  # a site drops out of a round, not of a step
            return set()
        draw = f"{self.plan.seed}:{unpack_order(order, len(order)).round_number}:{self._attempt}"
        return {name for name in sites if random.Random(f"{draw}:{name}:dropout").random() < share}


def _work(pipe: Connection, plan: Plan, function: SiteFunction) -> None:
    end_with_parent()
    pipe.send("started")
    while True:
        try:
            order = pipe.recv_bytes()
            site = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        pipe.send(function(order, plan, site))
