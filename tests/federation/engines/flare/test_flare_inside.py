"""FLARE's inside is what this adapter was written for: each name, with its parameters."""

from __future__ import annotations

import importlib
import inspect
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nvflare", reason="the extra cryofed[flare] is not installed: pip install '.[flare]'")

from cryofed.errors import FederationError
from cryofed.federation.engines.flare import inside

FLARE = Path(inside.__file__).parent


def found(dotted: str) -> Any:
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


def test_the_pinned_release_is_the_installed_one() -> None:
    assert version("nvflare") == inside.RELEASE
    inside.need_flare()


def test_another_release_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "RELEASE", "9.9.9")
    with pytest.raises(FederationError, match=r"is installed; run: pip install 'nvflare==9\.9\.9'"):
        inside.need_flare()


@pytest.mark.parametrize("name", list(inside.NAMES))
def test_each_name_is_there_with_its_parameters(name: str) -> None:
    one, parameters = found(name), inside.NAMES[name]
    if parameters is None:
        assert one is not None
    else:
        assert tuple(inspect.signature(one).parameters) == parameters


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
