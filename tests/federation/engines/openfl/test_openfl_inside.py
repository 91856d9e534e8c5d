"""OpenFL's inside is what this adapter was written for: each name, with its parameters; light and silent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openfl", reason="the extra cryofed[openfl] is not installed: pip install '.[openfl]'")

from tests.federation.engines.remote.inside import holds, importing, other_releases_are_refused

from cryofed.errors import InputError
from cryofed.federation.agreement.plan_file import commented_plan, read_plan
from cryofed.federation.engines import openfl
from cryofed.federation.engines.openfl import inside
from cryofed.federation.engines.openfl.machines import OpenFLMachines

ROOM = Path(inside.__file__).parent


def test_the_pinned_release_is_the_installed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    other_releases_are_refused(OpenFLMachines, monkeypatch)


@pytest.mark.parametrize("name", list(inside.NAMES))
def test_each_name_is_there_with_its_parameters(name: str) -> None:
    holds(name, inside.NAMES)


@pytest.mark.parametrize("package", ["openfl", "grpc"])
def test_no_other_file_imports_openfl(package: str) -> None:
    assert importing(ROOM, package) == ["inside.py"]


HEAVY = ("torch", "sklearn", "scipy", "keras")


@pytest.mark.parametrize("module", ["serve", "node"])
def test_aggregator_and_site_say_nothing_and_import_no_framework(module: str, tmp_path: Path) -> None:
    # The site's learner is a process of its own, which does import torch.
    code = (
        f"import sys, cryofed.federation.engines.openfl.{module}\n"
        f"loaded = sorted(set({HEAVY}) & set(sys.modules))\n"
        "sys.exit(f'imported {loaded}' if loaded else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", openfl.TAKEN)
def test_a_site_cannot_be_called_as_openfl_calls_its_tensors(name: str, tmp_path: Path) -> None:
    from tests.contract import toy

    plan = tmp_path / "plan.toml"
    plan.write_text(commented_plan(toy.plan(("alpha", name))).replace('"embedded"', '"openfl"', 1))
    with pytest.raises(InputError, match=f"sites.name: {name}; OpenFL uses this word itself"):
        read_plan(plan)
