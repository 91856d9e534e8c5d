"""A learner for a rehearsal: a process that answers orders by a function. No engine is imported here."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cryofed.disk.whole import mapped_bytes
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.site.answering import Site, SiteFunction
from cryofed.workers import end_with_parent


class FunctionLearner:
    """Owns a process that answers orders by a function; fills `working.Learner`."""

    def __init__(self, plan: Plan, site: Site, function: SiteFunction) -> None:
        # A fork server starts clean: forking this process, with its server's threads, could hang.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([function.__module__])
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, plan, site, function), daemon=True)
        self._process.start()
        theirs.close()
        self._started = False

    @property
    def warm(self) -> bool:
        """Whether it has said that it is there."""
        if not self._started and self._pipe.poll():
            self._pipe.recv()
            self._started = True
        return self._started

    @property
    def alive(self) -> bool:
        """Whether it can take another order."""
        return self._process.is_alive() and not self._pipe.closed

    def ask(self, order: Mapping[str, Any]) -> None:
        """Hand over an order."""
        self._pipe.send((order["order"], order["answer"]))

    def answer(self, seconds: float) -> Mapping[str, Any] | None:
        """Its answer; EOFError where it has died."""
        try:
            if not self._pipe.poll(seconds):
                return None
            reply = self._pipe.recv()
        except (EOFError, OSError):
            raise EOFError("the learner has ended") from None
        if reply == "started":
            self._started = True
            return None
        return {"failure": reply}

    def kill(self) -> None:
        """End it."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _work(pipe: Connection, plan: Plan, site: Site, function: SiteFunction) -> None:
    end_with_parent()
    pipe.send("started")
    while True:
        try:
            order, path = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        answer = function(mapped_bytes(Path(order)), plan, site)
        if not answer.failure:
            Path(path).write_bytes(answer.data)
        pipe.send(answer.failure)
