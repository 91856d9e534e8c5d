"""Run functions in fresh processes, of which none outlives this one."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import TypeVar

T = TypeVar("T")


def pool(workers: int) -> ProcessPoolExecutor:
    """Fresh interpreters, because a fork of a process that runs threads (torch) can lock up.

    Each ends with this process, also when this one is killed: the standard library's would wait for ever.
    """
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent)


def in_order(
    function: Callable[..., T], *arguments: Iterable[object], workers: int, chunk: int = 1
) -> Iterator[T]:
    """`map(function, *arguments)` by `workers` processes, results in order; one worker is this process.

    `function` must be importable by its name.
    """
    if workers <= 1:
        yield from map(function, *arguments)
        return
    with pool(workers) as processes:
        with _without_main():
            results = processes.map(function, *arguments, chunksize=chunk)
        yield from results


def end_with_parent() -> None:
    """Called in a process of `multiprocessing`: it ends at once when the one that made it has ended."""
    parent = parent_process()
    assert parent is not None  # such a process has one

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _without_main() -> Iterator[None]:
    """Keep new processes from running the caller's script again; all that they need they import by name."""
    main = sys.modules["__main__"]
    file, spec = getattr(main, "__file__", None), main.__spec__
    main.__file__ = main.__spec__ = None
    try:
        yield
    finally:
        main.__file__, main.__spec__ = file, spec
