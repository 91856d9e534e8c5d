"""What a command does now, on one line of the terminal, once it has lasted a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

AFTER_S = 1.0  # what is done sooner needs no line
EVERY_S = 0.2
WIDTH = 20


class Steps:
    """Owns one thread that draws. rich is not used: it takes a fifth of a second to load."""

    def __init__(self, count: int) -> None:
        self._count, self._done, self._what = count, 0, ""
        self._ended, self._drawn = Event(), False
        self._thread = Thread(target=self._draw, daemon=True)

    def now(self, what: str) -> None:
        """The next step begins."""
        self._done += 1
        self._what = what

    def _draw(self) -> None:
        began, wait = time.monotonic(), AFTER_S
        while not self._ended.wait(wait):
            full = WIDTH * (self._done - 1) // self._count
            bar = "━" * full + "╌" * (WIDTH - full)
            sys.stderr.write(f"\r\033[K{bar} {self._what}, {time.monotonic() - began:.0f} s")
            sys.stderr.flush()
            self._drawn, wait = True, EVERY_S

    def begin(self) -> None:
        """Draw from now on, where somebody can see it."""
        if sys.stderr.isatty():
            self._thread.start()

    def end(self) -> None:
        """Take the line away."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._drawn:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


@contextmanager
def one_step(what: str) -> Iterator[None]:
    """Show that this is done now, and for how long."""
    with steps(1) as shown:
        shown.now(what)
        yield


@contextmanager
def steps(count: int) -> Iterator[Steps]:
    """Show which of `count` steps is done now; without a terminal nothing is drawn."""
    shown = Steps(count)
    shown.begin()
    try:
        yield shown
    finally:
        shown.end()
