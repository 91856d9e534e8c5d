"""What a command does now, on one line of the terminal, once it has lasted a second."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

AFTER_S = 1.0  # what is done sooner needs no line, and does not wait for rich to load
EVERY_S = 0.2
WIDTH = 20


class Steps:
    """Owns one thread that draws."""

    def __init__(self, count: int) -> None:
        self._count, self._done, self._step = count, 0, ""
        self._ended = Event()
        self._thread = Thread(target=self._draw, daemon=True)

    def now(self, step: str) -> None:
        """The next step begins."""
        self._done, self._step = self._done + 1, step

    def _draw(self) -> None:
        if self._ended.wait(AFTER_S):
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (BarColumn(WIDTH), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as drawn:
            line = drawn.add_task(self._step, total=self._count)
            while not self._ended.wait(EVERY_S):
                drawn.update(line, completed=max(self._done - 1, 0), description=self._step)

    def begin(self) -> None:
        """Draw from now on, where somebody can see it."""
        if sys.stderr.isatty():
            self._thread.start()

    def end(self) -> None:
        """Take the line away."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()


@contextmanager
def one_step(step: str) -> Iterator[None]:
    """Show that this is done now, and for how long."""
    with steps(1) as shown:
        shown.now(step)
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
