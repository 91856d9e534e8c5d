"""What each engine's `test_*_inside.py` asks: is the package inside what the adapter was written for?

An adapter has one file of names that are not published interface, `inside.py`, with the parameters of each.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from cryofed.errors import FederationError
from cryofed.federation.engines.remote.machines import RemoteMachines


def found(dotted: str) -> Any:
    """What is called so in the installed package."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            one: Any = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            one = getattr(one, part)
        return one
    raise AssertionError(f"no module of {dotted}")


def holds(name: str, names: Mapping[str, tuple[str, ...] | None]) -> None:
    """A name is there, with the parameters that `inside.NAMES` says; None: it is not called."""
    one, parameters = found(name), names[name]
    assert one is not None
    if parameters is not None:
        assert tuple(inspect.signature(one).parameters) == parameters


def other_releases_are_refused(machines: type[RemoteMachines], monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed release is the pinned one, and another is refused in one line."""
    machines().need()
    assert version(machines.package).startswith(machines.release.rstrip("*"))
    monkeypatch.setattr(machines, "release", "9.9.9")
    words = rf"is installed; run: pip install '{machines.package}==9\.9\.9'"
    with pytest.raises(FederationError, match=words):
        machines().need()


def importing(folder: Path, package: str) -> list[str]:
    """Files of an adapter that import its package."""
    pattern = re.compile(rf"^\s*(from|import) {package}\b", re.MULTILINE)
    return [path.name for path in sorted(folder.rglob("*.py")) if pattern.search(path.read_text())]
