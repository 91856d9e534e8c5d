"""Fills the engine port with FLARE: one task per order, answers in a queue, silence is asked about."""

from __future__ import annotations

import queue
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from nvflare.apis.controller_spec import ClientTask, Task, TaskCompletionStatus
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.impl.controller import Controller
from nvflare.apis.shareable import Shareable, make_reply
from nvflare.apis.signal import Signal

from cryofed import __version__
from cryofed.errors import CryoFedError, FederationError
from cryofed.federation.engines.flare.envelopes import (
    ALIVE,
    DISMISS,
    OVER,
    READY,
    TASK,
    TURN,
    WAIT,
    YES,
    envelope,
    opened,
)
from cryofed.federation.engines.flare.notes import must_give_way, write_presence
from cryofed.federation.engines.flare.turns import Turns
from cryofed.federation.orders import Answer

PING_S = 2.0  # how long a site's process may take to say that it is there
PING_EVERY_S = 3.0
START_S = 30.0  # how long the first round waits for sites that are taking part
DEAD_AFTER = 2  # unanswered pings
_SLACK = 1_000_000  # bytes that an answer may be longer than its order


class SegmentEndError(FederationError):
    """This segment stops between two rounds; the campaign goes on in the next one."""


class FlareCarrier:
    """Lives in the segment's process at the aggregator."""

    def __init__(self, controller: Controller, abort: Signal, folder: Path, segment: str, plan: str) -> None:
        self._controller, self._abort, self._folder = controller, abort, folder
        self._segment = segment
        self._plan = plan  # as TOML; a site reads it before it works
        self._most_bytes = 0
        self._answers: queue.Queue[Answer] = queue.Queue()
        self._task: Task | None = None
        self._waiting: dict[str, int] = {}  # asked and silent: unanswered pings in a row
        self._asked: frozenset[str] = frozenset()
        self._turns, self._taken = Turns(), ""  # the site whose answer the rounds work on
        self._pinged = 0.0
        self._settled = time.monotonic() + START_S
        self._engine.register_aux_message_handler(topic=TURN, message_handle_func=self._turn)

    def present(self) -> Sequence[str]:
        """Sites whose process of this segment answers now."""
        if must_give_way(self._folder, self._segment):
            raise SegmentEndError("gave way to the next segment")
        self._check_abort()
        taking_part = [client.name for client in self._engine.get_clients()]
        there = self._ping(taking_part)
        # In a segment's first seconds the sites' processes are starting and their learners import torch.
        while sum(there.values()) < len(taking_part) and time.monotonic() < self._settled:
            time.sleep(0.1)
            self._check_abort()
            there = self._ping(taking_part)
        self._settled = 0.0
        write_presence(self._folder, self._segment, list(there))
        return list(there)

    def ask(self, order: bytes, sites: Sequence[str]) -> None:
        """Put one task out; sites fetch it within `TASK_SECONDS`."""
        while not self._answers.empty():
            self._answers.get_nowait()
        self._waiting, self._pinged = dict.fromkeys(sites, 0), time.monotonic()
        self._asked = frozenset(sites)
        if not sites:
            return
        payload = np.frombuffer(order, np.uint8)
        self._most_bytes = payload.nbytes + _SLACK
        data = envelope({"plan": self._plan, "cryofed": __version__}, payload)
        self._task = Task(name=TASK, data=data, timeout=0, result_received_cb=self._received)
        with self._engine.new_context() as fl_ctx:
            self._controller.broadcast(self._task, fl_ctx, targets=list(sites), min_responses=len(sites))

    def answer(self, timeout_s: float) -> Answer | None:
        """The next answer; a site whose process is silent to two pings answers with `site_gone`."""
        self._turns.leave(self._taken)  # the last answer is on disk by now
        end = time.monotonic() + timeout_s
        while (left := end - time.monotonic()) > 0:
            self._check_abort()
            try:
                answer = self._answers.get(timeout=min(left, 0.1))
            except queue.Empty:
                if time.monotonic() - self._pinged > PING_EVERY_S:
                    self._look_for_dead()
            else:
                self._taken = answer.site
                return answer
        return None

    def dismiss(self) -> None:
        """Cancel the task, and tell the sites that still work on it."""
        if self._task is not None:
            self._controller.cancel_task(self._task, TaskCompletionStatus.CANCELLED)
            self._task = None
        self._asked = frozenset()
        self._turns.clear()
        late, self._waiting = list(self._waiting), {}
        if late:
            self._send(DISMISS, late, timeout=0.0)

    @property
    def _engine(self) -> Any:
        return self._controller._engine

    def _turn(self, topic: str, request: Shareable, fl_ctx: FLContext) -> Shareable:
        site = fl_ctx.get_peer_context().get_identity_name()
        reply = make_reply(ReturnCode.OK)
        if site not in self._asked:
            reply[TURN] = OVER
        else:
            reply[TURN] = YES if self._turns.take(site) else WAIT
        return reply

    def _received(self, client_task: ClientTask, fl_ctx: FLContext) -> None:
        site, result = client_task.client.name, client_task.result
        client_task.result = None  # FLARE would keep every update until the task ends
        if client_task.task is not self._task:
            return
        self._waiting.pop(site, None)
        self._answers.put(self._read(site, result))

    def _read(self, site: str, result: Shareable) -> Answer:
        if result.get_return_code() != ReturnCode.OK:
            return Answer(site=site, failure="site_failed")
        try:
            header, payload = opened(result, self._most_bytes)
        except CryoFedError:
            return Answer(site=site, failure="malformed")
        failure = header.get("failure", "")
        if failure or not payload.nbytes:
            return Answer(site=site, failure=failure if _is_code(failure) else "malformed")
        return Answer(site=site, data=payload.data)

    def _look_for_dead(self) -> None:
        silent = list(self._waiting)
        there = set(self._ping(silent))
        self._pinged = time.monotonic()
        for site in silent:
            if site not in self._waiting:
                continue
            self._waiting[site] = 0 if site in there else self._waiting[site] + 1
            if self._waiting[site] >= DEAD_AFTER:
                del self._waiting[site]
                self._answers.put(Answer(site=site, failure="site_gone"))

    def _ping(self, sites: Sequence[str]) -> dict[str, bool]:
        """The sites whose process answers, and whether their learners are warm."""
        replies = self._send(ALIVE, sites, PING_S)
        return {
            name: bool(reply.get(READY))
            for name, reply in replies.items()
            if reply.get_return_code() == ReturnCode.OK
        }

    def _send(self, topic: str, sites: Sequence[str], timeout: float) -> dict[str, Shareable]:
        if not sites:
            return {}
        with self._engine.new_context() as fl_ctx:
            replies: dict[str, Shareable] | None = self._engine.send_aux_request(
                targets=list(sites),
                topic=topic,
                request=Shareable(),
                timeout=timeout,
                fl_ctx=fl_ctx,
                optional=True,
            )
            return replies or {}

    def _check_abort(self) -> None:
        if self._abort.triggered:
            raise SegmentEndError("was aborted")


def _is_code(word: object) -> bool:
    return isinstance(word, str) and re.fullmatch(r"[a-z0-9_-]{1,64}", word) is not None
