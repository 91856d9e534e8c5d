"""Fills the engine port with FLARE: one task per order, answers in a queue, silence is asked about."""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from nvflare.apis.controller_spec import ClientTask, Task, TaskCompletionStatus
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.impl.controller import Controller
from nvflare.apis.shareable import Shareable
from nvflare.apis.signal import Signal
from nvflare.fuel.utils.memory_utils import try_malloc_trim

from cryofed import __version__
from cryofed.errors import FederationError
from cryofed.federation.engines.flare.aggregator.arrivals import Arrivals
from cryofed.federation.engines.flare.envelopes import (
    DISMISS,
    ORDER,
    TASK,
    envelope,
    opened,
    ticket_in,
)
from cryofed.federation.engines.flare.inside import engine_of
from cryofed.federation.engines.flare.pings import ALIVE, new_question, secret_of
from cryofed.federation.engines.flare.transfer import Offer
from cryofed.federation.engines.remote.homes import TRANSFER, Home
from cryofed.federation.engines.remote.segments import must_give_way, write_presence
from cryofed.federation.wire.bounds import is_code
from cryofed.federation.wire.orders import Answer
from cryofed.federation.wire.papers import largest_answer
from cryofed.trust.members import Registry

PING_S = 2.0  # how long a site's process may take to say that it is there
PING_EVERY_S = 3.0
PINGS_AT_ONCE = 64  # each waits in a thread of its own
START_S = 30.0  # how long the first round waits for sites that are taking part
DEAD_AFTER = 2  # unanswered pings
_SLACK = 1_000_000  # bytes that an answer may be longer than its order


class SegmentEndError(FederationError):
    """This segment stops between two rounds; the campaign goes on in the next one."""


class FlareCarrier:
    """Lives in the segment's process at the aggregator."""

    def __init__(
        self, controller: Controller, abort: Signal, folder: Path, segment: str, plan: str, *, secret: str
    ) -> None:
        self._controller, self._abort, self._folder = controller, abort, folder
        self._segment = segment
        self._plan = plan  # as TOML; a site reads it before it works
        self._secret = secret  # of the segment; the sites' own are made of it
        self._registry = Registry(Home(folder).registry)
        self._most_bytes = 0
        # FLARE's threads and those of arrivals put answers in, each for the task that it belongs to.
        self._guard = threading.Lock()
        self._answers: queue.Queue[Answer] = queue.Queue()
        self._tasks: dict[str, Task] = {}  # one for each site: each has a ticket of its own
        self._offer: Offer | None = None
        self._tickets: dict[str, str] = {}
        self._waiting: dict[str, int] = {}  # asked and silent: unanswered pings in a row
        self._pinged = 0.0
        self._settled = time.monotonic() + START_S
        transfer = folder / TRANSFER
        shutil.rmtree(transfer, ignore_errors=True)  # of a segment that was killed
        transfer.mkdir(parents=True)
        self._arrivals = Arrivals(self._engine.get_cell(), transfer)

    def present(self) -> Sequence[str]:
        """Sites whose process of this segment answers now."""
        if must_give_way(self._folder, self._segment):
            raise SegmentEndError("gave way to the next segment")
        self._check_abort()
        out = self._registry.revoked()
        taking_part = [client.name for client in self._engine.get_clients() if client.name not in out]
        there = self._ping(taking_part)
        try:
            # In a segment's first seconds the sites' processes are starting and their learners import torch.
            while sum(there.values()) < len(taking_part) and time.monotonic() < self._settled:
                time.sleep(0.1)
                self._check_abort()
                there = self._ping(taking_part)
        finally:  # FLARE may end the segment for a site that died: who was there then tells which
            write_presence(self._folder, self._segment, list(there))
        self._settled = 0.0
        return list(there)

    def ask(self, order: bytes, sites: Sequence[str]) -> None:
        """Put a task out for each site; it fetches that within `TASK_SECONDS`, and then the order's file."""
        if not sites:
            return
        path = self._folder / TRANSFER / "order"
        path.write_bytes(order)
        self._offer = Offer(self._engine.get_cell(), path, len(sites))
        self._tickets = dict(zip(sites, self._offer.refs, strict=True))
        self._most_bytes = largest_answer(order) + _SLACK
        tasks = {site: self._task_of(ref, self._offer.size) for site, ref in self._tickets.items()}
        with self._guard:
            self._tasks, self._answers = tasks, queue.Queue()
            self._waiting, self._pinged = dict.fromkeys(sites, 0), time.monotonic()
        with self._engine.new_context() as fl_ctx:
            for site, task in tasks.items():
                self._controller.broadcast(task, fl_ctx, targets=[site], min_responses=1)

    def _task_of(self, ref: str, size: int) -> Task:
        header = {"plan": self._plan, "cryofed": __version__, "ref": ref, "bytes": size}
        return Task(name=TASK, data=envelope(header), timeout=0, result_received_cb=self._received)

    def answer(self, timeout_s: float) -> Answer | None:
        """The next answer; a site whose process is silent to two pings answers with `site_gone`."""
        end = time.monotonic() + timeout_s
        while (left := end - time.monotonic()) > 0:
            self._check_abort()
            self._expel()
            try:
                answer = self._answers.get(timeout=min(left, 0.1))
                out = answer.site in self._registry.revoked()
                return Answer(site=answer.site, failure="revoked") if out else answer
            except queue.Empty:
                self._arrivals.hurry()
                if time.monotonic() - self._pinged > PING_EVERY_S:
                    self._look_for_dead()
        return None

    def dismiss(self) -> None:
        """Cancel the tasks, and tell the sites that still work on them."""
        with self._guard:
            tasks, self._tasks = self._tasks, {}
            late, self._waiting = list(self._waiting), {}
        for task in tasks.values():
            self._controller.cancel_task(task, TaskCompletionStatus.CANCELLED)
        self._arrivals.stop()
        if self._offer is not None:
            for site in late:
                request = Shareable()
                request[ORDER] = self._tickets[site]
                self._send(DISMISS, site, request, timeout=0.0)
            self._offer.withdraw()
            self._offer = None
        try_malloc_trim()  # the allocator would keep what pieces took, and now come the round's vectors

    def close(self) -> None:
        """The segment ends, however it ends."""
        self._arrivals.close()

    @property
    def _engine(self) -> Any:
        return engine_of(self._controller)

    def _received(self, client_task: ClientTask, fl_ctx: FLContext) -> None:
        """A site has answered; by a thread of FLARE's."""
        task, site, result = client_task.task, client_task.client.name, client_task.result
        if self._tasks.get(site) is not task:
            return
        if result.get_return_code() != ReturnCode.OK:
            self._arrived(task, Answer(site=site, failure="site_failed"))
            return
        try:
            header = opened(result)
            failure = header.get("failure")
            if failure:
                self._arrived(task, Answer(site=site, failure=failure if is_code(failure) else "malformed"))
            else:
                self._arrivals.expect(site, ticket_in(header, self._most_bytes), partial(self._arrived, task))
        except FederationError:
            self._arrived(task, Answer(site=site, failure="malformed"))

    def _arrived(self, task: Task, answer: Answer) -> None:
        with self._guard:
            if self._tasks.get(answer.site) is task and self._waiting.pop(answer.site, None) is not None:
                self._answers.put(answer)

    def _expel(self) -> None:
        """Wait no longer for a site that was revoked meanwhile."""
        for site in self._registry.revoked() & {*self._waiting}:
            self._arrivals.stop(site)
            self._arrived(self._tasks[site], Answer(site=site, failure="revoked"))

    def _look_for_dead(self) -> None:
        tasks, silent = self._tasks, list(self._waiting)
        there = set(self._ping(silent))
        self._pinged = time.monotonic()
        for site in silent:
            if site not in self._waiting:
                continue
            self._waiting[site] = 0 if site in there else self._waiting[site] + 1
            if self._waiting[site] >= DEAD_AFTER:
                self._arrivals.stop(site)
                self._arrived(tasks[site], Answer(site=site, failure="site_gone"))

    def _ping(self, sites: Sequence[str]) -> dict[str, bool]:
        """The sites whose process answers, and whether their learners are warm.

        Each is asked a question of its own, all at once. (FLARE's way to do that, `multicast_aux_requests`,
        hands its cell an argument that this release's cell does not take, and tells nobody.)
        """
        if not sites:
            return {}
        with ThreadPoolExecutor(min(len(sites), PINGS_AT_ONCE)) as threads:
            said = dict(zip(sites, threads.map(self._asked, sites), strict=True))
        return {site: ready for site, ready in said.items() if ready is not None}

    def _asked(self, site: str) -> bool | None:
        question = new_question(secret_of(site, self._secret))
        return question.answered(self._send(ALIVE, site, question.request(), PING_S))

    def _send(self, topic: str, site: str, request: Shareable, timeout: float) -> Shareable | None:
        with self._engine.new_context() as fl_ctx:
            replies: dict[str, Shareable] | None = self._engine.send_aux_request(
                targets=[site], topic=topic, request=request, timeout=timeout, fl_ctx=fl_ctx, optional=True
            )
        return (replies or {}).get(site)

    def _check_abort(self) -> None:
        if self._abort.triggered:
            raise SegmentEndError("was aborted")
