"""At a site: take an order from FLARE, let the learner's process work on it, send back its answer."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
from nvflare.apis.event_type import EventType
from nvflare.apis.executor import Executor
from nvflare.apis.fl_constant import FLContextKey, ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable, make_reply
from nvflare.apis.signal import Signal

from cryofed import __version__
from cryofed.errors import FederationError
from cryofed.federation.engines.flare.envelopes import (
    ALIVE,
    DISMISS,
    OVER,
    READY,
    TASK,
    TURN,
    YES,
    envelope,
    opened,
)
from cryofed.federation.engines.flare.learner import Learner
from cryofed.federation.engines.flare.pipe import Bytes

LOG = "learner.log"  # in the site's folder; full words stay at home
_TICK_S = 0.02
LARGE = 8_000_000  # bytes: a smaller answer does not wait for its turn
TURN_TICK_S = 0.1
TURN_S = 600.0  # then it sends, turn or not: the aggregator is told nothing that it cannot bear
_UNHEARD = 5  # so many requests without a reply, and it sends


class SiteExecutor(Executor):  # type: ignore[misc]  # FLARE is untyped
    """The one class that a job may name at a site."""

    def __init__(self) -> None:
        super().__init__()
        self._learner: Learner | None = None
        self._dismissed = threading.Event()
        self._home = Path()

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        """Start the learner with the segment, so that it is warm when the first order comes."""
        if event_type == EventType.START_RUN:
            self._home = Path(fl_ctx.get_prop(FLContextKey.WORKSPACE_OBJECT).get_root_dir()).parent
            engine = fl_ctx.get_engine()
            engine.register_aux_message_handler(topic=ALIVE, message_handle_func=self._alive)
            engine.register_aux_message_handler(topic=DISMISS, message_handle_func=self._dismiss)
            self._running_learner()
        elif event_type == EventType.END_RUN and self._learner:
            self._learner.kill()

    def execute(
        self, task_name: str, shareable: Shareable, fl_ctx: FLContext, abort_signal: Signal
    ) -> Shareable:
        """One order. Whatever happens here ends as an answer: a failure costs the round, not the segment."""
        if task_name != TASK:
            return make_reply(ReturnCode.TASK_UNKNOWN)
        self._dismissed.clear()
        try:
            header, payload = opened(shareable)
        except FederationError as error:
            self.log_warning(fl_ctx, str(error))
            return _failure("malformed_order")
        if header.get("cryofed") != __version__:
            there = header.get("cryofed")
            self.log_error(
                fl_ctx, f"the aggregator runs cryofed {there}, this site {__version__}; install the same"
            )
            return _failure("other_version")
        learner = self._running_learner()
        learner.ask(header, payload)
        try:
            while (frame := learner.answer(_TICK_S)) is None:
                if abort_signal.triggered or self._dismissed.is_set():
                    learner.kill()
                    if not abort_signal.triggered:
                        self._running_learner()
                    return _failure("dismissed")
        except EOFError as error:
            self.log_warning(fl_ctx, f"{error}; see {LOG}")
            self._running_learner()  # it is warm again when the next round comes
            return _failure("site_crashed")
        wanted = frame[1].nbytes <= LARGE or self._has_turn(fl_ctx, abort_signal)
        return envelope(*frame) if wanted else _failure("dismissed")

    def _has_turn(self, fl_ctx: FLContext, abort_signal: Signal) -> bool:
        """Wait until the aggregator has room for a large answer; False when nobody wants it any more."""
        end, unheard = time.monotonic() + TURN_S, 0
        while time.monotonic() < end and unheard < _UNHEARD:
            if abort_signal.triggered or self._dismissed.is_set():
                return False
            replies = fl_ctx.get_engine().send_aux_request(
                targets=None, topic=TURN, request=Shareable(), timeout=2.0, fl_ctx=fl_ctx, optional=True
            )
            word = next((reply.get(TURN) for reply in (replies or {}).values()), None)
            if word in (YES, OVER):
                return bool(word == YES)
            unheard = 0 if word else unheard + 1
            time.sleep(TURN_TICK_S)
        return True

    def _running_learner(self) -> Learner:
        if self._learner is not None and not self._learner.alive:
            self._learner.kill()
            self._learner = None
        if self._learner is None:
            self._learner = Learner(self._home, self._home / LOG)
        return self._learner

    def _alive(self, topic: str, request: Shareable, fl_ctx: FLContext) -> Shareable:
        reply = make_reply(ReturnCode.OK)
        reply[READY] = self._learner is not None and self._learner.ready.is_set()
        return reply

    def _dismiss(self, topic: str, request: Shareable, fl_ctx: FLContext) -> Shareable:
        self._dismissed.set()
        return make_reply(ReturnCode.OK)


def _failure(code: str) -> Shareable:
    nothing: Bytes = np.zeros(0, np.uint8)
    return envelope({"failure": code}, nothing)
