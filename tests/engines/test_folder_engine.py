"""An engine is one folder and one entry point: plans name it, commands run it, and nothing else changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryofed.cli.main import main
from cryofed.errors import InputError
from cryofed.federation.agreement.engines import engine_names
from cryofed.federation.agreement.plan_file import commented_plan, read_plan

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "folder"))


def test_it_is_found_by_its_entry_point() -> None:
    assert {"embedded", "flare", "folder"} <= set(engine_names())


def test_a_plan_names_it_and_has_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "plan.toml"
    assert main(["federation", "new", str(plan), "--engine", "folder"]) == 0
    assert "[folder]\nlook_s = 0.02  # seconds between two looks" in plan.read_text()
    plan.write_text(plan.read_text().replace("look_s = 0.02", "look_s = 0.5"))
    assert read_plan(plan).tables["folder"].look_s == 0.5
    assert "look_s = 0.5" in commented_plan(read_plan(plan))
    plan.write_text(plan.read_text().replace("look_s", "lok_s"))
    with pytest.raises(InputError, match=r"folder\.lok_s: an unknown field; did you mean look_s\?"):
        read_plan(plan)


def test_what_it_cannot_do_is_refused_when_the_plan_is_read(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('engine = "folder"\n[guard]\nmask = "pairwise"\n')
    with pytest.raises(InputError, match=r"guard\.mask: pairwise; engine folder carries no masks"):
        read_plan(plan)


def test_its_operations_are_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "plan.toml"
    assert main(["federation", "new", str(plan), "--engine", "folder"]) == 0
    assert main(["federation", "provision", str(plan)]) == 1
    assert "engine folder: all its sites are on this machine" in capsys.readouterr().err


def test_an_engine_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('engine = "pigeon"\n')
    known = r"engine: 'pigeon'; choose one of: embedded, flare, (flower, )?folder"
    with pytest.raises(InputError, match=known):
        read_plan(plan)


def test_no_file_of_the_product_names_it() -> None:
    named = [path for path in (ROOT / "src").rglob("*.py") if "cryofed_folder" in path.read_text()]
    assert named == []
