"""Run a function over many arguments in fresh processes, results in order; one worker means this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")


def in_order(
    function: Callable[..., T], *arguments: Iterable[object], workers: int, chunk: int = 1
) -> Iterator[T]:
    """`map(function, *arguments)` by `workers` processes; `function` must be importable by its name.

    Fresh interpreters, because a fork of a process that runs threads (torch) can lock up.
    """
    if workers <= 1:
        yield from map(function, *arguments)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        with _without_main():
            results = pool.map(function, *arguments, chunksize=chunk)
        yield from results


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
