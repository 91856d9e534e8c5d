"""At a site: take an order from FLARE, let the learner's process work on it, offer its answer."""

from __future__ import annotations

import shutil
import threading
from collections import deque
from pathlib import Path

from nvflare.apis.event_type import EventType
from nvflare.apis.executor import Executor
from nvflare.apis.fl_constant import FLContextKey, ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable, make_reply
from nvflare.apis.signal import Signal

from cryofed import __version__
from cryofed.errors import FederationError
from cryofed.federation.engines.flare.envelopes import (
    DISMISS,
    ORDER,
    TASK,
    Ticket,
    envelope,
    opened,
    ticket_in,
)
from cryofed.federation.engines.flare.inside import let_go_of_what_was_sent, refuse_references
from cryofed.federation.engines.flare.pings import ALIVE, answer_to
from cryofed.federation.engines.flare.transfer import Offer, fetch
from cryofed.federation.engines.remote.homes import TRANSFER
from cryofed.federation.engines.remote.learner_process import LearnerProcess
from cryofed.federation.engines.remote.own_words import write_down

LOG = "learner.log"  # in the site's folder; full words stay at home
LARGEST_ORDER = 8 << 30  # bytes that the aggregator may lay on this site's disk
_AGGREGATOR = "server"  # its name in FLARE's network
_TICK_S = 0.02
_DISMISSALS = 64  # that are remembered: others may send any number that mean nothing
_LONGEST = 100  # characters of a ticket


class SiteExecutor(Executor):  # type: ignore[misc]  # FLARE is untyped
    """The one class that a job may name at a site."""

    def __init__(self, secret: str = "") -> None:
        # FLARE exports arguments by their names, so it is kept under its own.
        super().__init__()
        refuse_references()
        let_go_of_what_was_sent()
        self.secret = secret  # this site's with the aggregator, for pings; without one nobody is answered
        self._learner: LearnerProcess | None = None
        self._turn = threading.Lock()  # one order at a time: they share the learner and its two files
        self._working = ("", Signal())  # the order that is worked on, by its ticket, and what stops it
        # Orders that nobody waits for, by their tickets; one may not even have begun here. A ticket is this
        # site's own secret with the aggregator, so no other site can dismiss it.
        self._dismissed: deque[str] = deque(maxlen=_DISMISSALS)
        self._offer: Offer | None = None
        self._home = self._transfer = Path()

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        """Start the learner with the segment, so that it is warm when the first order comes."""
        if event_type == EventType.START_RUN:
            self._home = Path(fl_ctx.get_prop(FLContextKey.WORKSPACE_OBJECT).get_root_dir()).parent
            # Its own, for the segment before this one works until this one's processes are there.
            self._transfer = self._home / TRANSFER / str(fl_ctx.get_job_id())
            self._transfer.mkdir(mode=0o700, parents=True, exist_ok=True)
            engine = fl_ctx.get_engine()
            engine.register_aux_message_handler(topic=ALIVE, message_handle_func=self._alive)
            engine.register_aux_message_handler(topic=DISMISS, message_handle_func=self._dismiss)
            self._running_learner()
        elif event_type == EventType.END_RUN and self._learner:
            self._learner.kill()
            shutil.rmtree(self._transfer, ignore_errors=True)

    def execute(
        self, task_name: str, shareable: Shareable, fl_ctx: FLContext, abort_signal: Signal
    ) -> Shareable:
        """One order. Whatever happens here ends as an answer: a failure costs the round, not the segment."""
        if task_name != TASK:
            return make_reply(ReturnCode.TASK_UNKNOWN)
        with self._turn:
            return self._executed(shareable, fl_ctx, Signal(parent=abort_signal))

    def _executed(self, shareable: Shareable, fl_ctx: FLContext, stop: Signal) -> Shareable:
        if self._offer is not None:
            self._offer.withdraw()
            self._offer = None
        order, answer = self._transfer / "order", self._transfer / "answer"
        cell = fl_ctx.get_engine().get_cell()
        try:
            plan, ticket = _announced(shareable)
            self._working = (ticket.ref, stop)
            if ticket.ref in self._dismissed:  # looked at after `_working` is set, as `_dismiss` does in turn
                return self._failed("dismissed")
            fetch(cell, _AGGREGATOR, ticket, order, stop)
            failure = self._worked({"plan": plan, "order": str(order), "answer": str(answer)}, stop)
            if failure:
                return self._failed(failure)
            self._offer = Offer(cell, answer, receivers=1)
        except (FederationError, OSError) as error:
            self.log_warning(fl_ctx, str(error))
            return self._failed("order_lost")
        finally:
            order.unlink(missing_ok=True)
        return envelope({"ref": self._offer.ref, "bytes": self._offer.size})

    def _failed(self, failure: str) -> Shareable:
        write_down(self._home, failure, self._transfer / "order")
        return envelope({"failure": failure})

    def _worked(self, message: dict[str, str], stop: Signal) -> str:
        """Let the learner work; the code of what went wrong, or nothing.

        A learner that still starts was not asked yet, and a dismissal leaves it to start: were it killed, a
        site whose rounds are shorter than a start would never have a warm one again.
        """
        learner = self._running_learner()
        while not learner.ready.wait(_TICK_S) and learner.alive:
            if stop.triggered:
                return "dismissed"
        learner.ask(message)
        try:
            while (line := learner.answer(_TICK_S)) is None:
                if stop.triggered:
                    learner.kill()
                    self._running_learner()
                    return "dismissed"
        except EOFError as error:
            self.logger.warning(f"{error}; see {LOG}")
            self._running_learner()  # it is warm again when the next round comes
            return "site_crashed"
        return str(line["failure"])

    def _running_learner(self) -> LearnerProcess:
        if self._learner is not None and not self._learner.alive:
            self._learner.kill()
            self._learner = None
        if self._learner is None:
            self._learner = LearnerProcess(self._home, self._home / LOG)
        return self._learner

    def _alive(self, topic: str, request: Shareable, fl_ctx: FLContext) -> Shareable:
        ready = self._learner is not None and self._learner.ready.is_set()
        return answer_to(request, self.secret, ready=ready)

    def _dismiss(self, topic: str, request: Shareable, fl_ctx: FLContext) -> Shareable:
        ref = str(request.get(ORDER, ""))[:_LONGEST]
        self._dismissed.append(ref)
        working, stop = self._working
        if working == ref:
            stop.trigger("dismissed")
        return make_reply(ReturnCode.OK)


def _announced(shareable: Shareable) -> tuple[str, Ticket]:
    """The plan, as TOML, and where the order is."""
    header = opened(shareable)
    if header.get("cryofed") != __version__:
        raise FederationError(
            f"the aggregator runs cryofed {header.get('cryofed')}, this site {__version__}; install the same"
        )
    return str(header.get("plan", "")), ticket_in(header, LARGEST_ORDER)
