"""A site's side, in a process of its own: look for an order, let a child answer it.

The child may crash or hang: the order is then answered with a code, or dropped when it was taken back.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cryofed.disk.whole import mapped_bytes, write_whole

LOOK_S = 0.02


def clear(corner: Path) -> Path:
    """An empty corner of the folder."""
    corner.mkdir(parents=True, exist_ok=True)
    for old in (*corner.glob("*-*"), corner / "ready"):
        old.unlink(missing_ok=True)
    return corner


def main(corner: Path, plan: Any, site: Any, function: Callable[..., Any]) -> None:
    """Until the process that asked for this one is gone."""
    child = None
    write_whole(corner / "ready", b"yes")
    while multiprocessing.parent_process().is_alive():  # type: ignore[union-attr]
        orders = sorted(corner.glob("order-*"))
        if not orders:
            time.sleep(LOOK_S)
            continue
        newest = orders[-1]
        ending = newest.name.removeprefix("order-")
        child = child or Child(plan, site, function)
        given = child.answer(newest)
        if given is None:
            child = None
        if given is not None and given.data:
            write_whole(corner / f"answer-{ending}", given.data)
        elif newest.exists():
            write_whole(corner / f"failure-{ending}", (given.failure if given else "site_crashed").encode())
        for path in orders:
            path.unlink(missing_ok=True)


class Child:
    """Owns one process that answers orders; forked, for the one that it comes from has no other thread."""

    def __init__(self, plan: Any, site: Any, function: Callable[..., Any]) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        own = self.pipe
        self.process = context.Process(target=work, args=(own, theirs, plan, site, function), daemon=True)
        self.process.start()
        theirs.close()

    def answer(self, order: Path) -> Any:
        """What it answers; None where it died, or the order was taken back meanwhile."""
        try:
            self.pipe.send(str(order))
            while not self.pipe.poll(LOOK_S):
                if not order.exists():
                    self.process.kill()
                    return None
            return self.pipe.recv()
        except (EOFError, ConnectionError):
            return None


def work(theirs: Connection, pipe: Connection, plan: Any, site: Any, function: Callable[..., Any]) -> None:
    """In the child: answer until its parent is gone, also while it hangs."""
    theirs.close()
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    while True:
        pipe.send(function(mapped_bytes(Path(pipe.recv())), plan, site))
