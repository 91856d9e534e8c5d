"""FLARE's inside is what this adapter was written for: each name, with its parameters."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

pytest.importorskip("nvflare", reason="the extra cryofed[flare] is not installed: pip install '.[flare]'")

from tests.federation.engines.remote.inside import found, holds, other_releases_are_refused

from cryofed.federation.engines.flare import inside
from cryofed.federation.engines.flare.machines import FlareMachines

FLARE = Path(inside.__file__).parent


def test_the_pinned_release_is_the_installed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    other_releases_are_refused(FlareMachines, monkeypatch)


@pytest.mark.parametrize("name", list(inside.NAMES))
def test_each_name_is_there_with_its_parameters(name: str) -> None:
    holds(name, inside.NAMES)


@pytest.mark.parametrize("path", sorted(FLARE.rglob("*.py")), ids=lambda path: path.name)
def test_what_is_imported_from_flares_inside_is_in_the_list(path: Path) -> None:
    text = path.read_text()
    imported = re.findall(r"from (nvflare\.(?!apis\.)[\w.]+) import ([\w, ]+)", text)
    for module, names in imported:
        for name in names.split(", "):
            dotted = f"{module}.{name}"
            assert any(known == dotted or known.startswith(f"{dotted}.") for known in inside.NAMES), dotted


def test_every_class_and_program_that_a_kit_names_is_there() -> None:
    text = (FLARE / "files.py").read_text()
    for dotted in re.findall(r'"(nvflare\.[\w.]+)"', text):
        assert found(dotted) is not None


def test_a_controller_keeps_its_engine_where_we_look_for_it() -> None:
    source = inspect.getsource(found("nvflare.apis.impl.controller.Controller"))
    assert "self._engine" in source
