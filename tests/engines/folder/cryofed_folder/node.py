"""A site's side, `python -m cryofed_folder.node CORNER`: look for an order, let a child answer it.

The child may crash or hang: the order is then answered with a code, or dropped when it was taken back.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cryofed.disk.whole import mapped_bytes, write_whole

LOOK_S = 0.02


def describe(corner: Path, plan: Any, site: Any, function: Callable[..., Any]) -> None:
    """Write down what the site's process needs. It lies on this machine; nothing of it travels."""
    corner.mkdir(parents=True, exist_ok=True)
    for old in corner.glob("*-*"):
        old.unlink()
    (corner / "ready").unlink(missing_ok=True)
    write_whole(corner / "site", pickle.dumps((plan, site, function)), mode=0o600)


def main(corner: Path) -> None:
    """Until the process that started this one is gone."""
    plan, site, function = pickle.loads((corner / "site").read_bytes())
    parent, child = os.getppid(), None
    write_whole(corner / "ready", b"yes")
    while os.getppid() == parent:
        orders = sorted(corner.glob("order-*"))
        if not orders:
            time.sleep(LOOK_S)
            continue
        ending = orders[-1].name.removeprefix("order-")
        child = child or Child(plan, site, function)
        given = child.answer(orders[-1], lambda path=orders[-1]: not path.exists())
        if given is None or not given.data:
            child = None
        if given is not None and given.data:
            write_whole(corner / f"answer-{ending}", given.data)
        elif orders[-1].exists():
            write_whole(corner / f"failure-{ending}", (given.failure if given else "site_crashed").encode())
        for path in orders:
            path.unlink(missing_ok=True)


class Child:
    """Owns one process that answers orders."""

    def __init__(self, plan: Any, site: Any, function: Callable[..., Any]) -> None:
        context = multiprocessing.get_context("forkserver")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, plan, site, function), daemon=True)
        self.process.start()
        theirs.close()

    def answer(self, order: Path, dropped: Callable[[], bool]) -> Any:
        """What it answers; None where it died, or the order was taken back meanwhile."""
        self.pipe.send(str(order))
        try:
            while not self.pipe.poll(LOOK_S):
                if dropped():
                    self.process.kill()
                    return None
            return self.pipe.recv()
        except (EOFError, ConnectionError):
            return None


def work(pipe: Connection, plan: Any, site: Any, function: Callable[..., Any]) -> None:
    """In the child."""
    while True:
        try:
            path = Path(pipe.recv())
        except EOFError:
            return
        pipe.send(function(mapped_bytes(path), plan, site))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
