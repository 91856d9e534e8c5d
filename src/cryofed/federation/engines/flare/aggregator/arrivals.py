"""Answers on their way in: a few at a time, onto the disk, so that memory does not grow with the sites."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from nvflare.apis.signal import Signal
from nvflare.fuel.f3.cellnet.cell import Cell

from cryofed.disk.whole import mapped_bytes
from cryofed.errors import FederationError
from cryofed.federation.engines.flare.envelopes import Ticket
from cryofed.federation.engines.flare.transfer import AT_A_TIME, fetch
from cryofed.federation.wire.orders import Answer

HOLD_S = 120.0  # a site that takes longer while others wait is left: it must not hold them up


@dataclass(slots=True)
class _Fetch:
    """One answer on its way."""

    stop: Signal = field(default_factory=Signal)
    began: float = 0.0  # 0: it waits for a free thread


class Arrivals:
    """Owns the threads that fetch."""

    def __init__(self, cell: Cell, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._cell, self._folder, self._clock = cell, folder, clock
        self._threads = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="arrival")
        self._guard = threading.Lock()
        self._fetches: dict[str, _Fetch] = {}
        self._numbers = itertools.count(1)

    def expect(self, site: str, ticket: Ticket, done: Callable[[Answer], None]) -> None:
        """Fetch what this site offers as soon as a thread is free; that thread calls `done`."""
        one = _Fetch()
        with self._guard:
            self._fetches[site] = one
        self._threads.submit(self._fetch, site, ticket, one, done)

    def hurry(self) -> None:
        """Leave sites that have held a thread for too long while others wait for one."""
        with self._guard:
            if any(not one.began for one in self._fetches.values()):
                for one in self._fetches.values():
                    if one.began and self._clock() - one.began > HOLD_S:
                        one.stop.trigger("too slow")

    def stop(self, site: str = "") -> None:
        """Fetch no more, from this site or from any."""
        with self._guard:
            for name, one in self._fetches.items():
                if site in ("", name):
                    one.stop.trigger("not needed")

    def close(self) -> None:
        """End the threads."""
        self.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, site: str, ticket: Ticket, one: _Fetch, done: Callable[[Answer], None]) -> None:
        one.began = self._clock()
        path = self._folder / f"answer-{next(self._numbers)}"
        try:
            fetch(self._cell, site, ticket, path, one.stop)
            # The name goes at once; the content when the rounds have done with it.
            answer = Answer(site=site, data=mapped_bytes(path))
        except (FederationError, OSError):
            answer = Answer(site=site, failure="too_slow" if one.stop.triggered else "answer_lost")
        finally:
            path.unlink(missing_ok=True)
            with self._guard:
                if self._fetches.get(site) is one:
                    del self._fetches[site]
        done(answer)
