"""Which engines there are: found by entry point, so that another one is a folder and a line elsewhere."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from cryofed.errors import FederationError, InputError

GROUP = "cryofed.engines"


def engine_names() -> tuple[str, ...]:
    """Names of the engines that are installed here, sorted."""
    return tuple(sorted(_points()))


def load_engine(name: str, path: Path | str = "plan", where: str = "engine") -> Any:
    """The `Deployment` of an engine (`engines.deployment`), which imports nothing heavy.

    Raises:
        InputError: no such engine here; the ones that exist are named.
    """
    engines = _points()
    if name not in engines:
        raise InputError(path, where, repr(name)[:60], f"choose one of: {', '.join(sorted(engines))}")
    return engines[name].load()


def _points() -> dict[str, EntryPoint]:
    return _points_on(tuple(sys.path))


@lru_cache(maxsize=1)  # every reading of a plan asks, and looking through all that is installed takes 15 ms
def _points_on(path: tuple[str, ...]) -> dict[str, EntryPoint]:
    del path  # `entry_points` looks there; on another path it looks anew
    points = {point.name: point for point in entry_points(group=GROUP)}
    if not points:
        raise FederationError(
            "no engine is registered: this installation is older than its source; install cryofed again"
        )
    return points
