"""Each notebook runs from top to bottom, and what is kept of it is made of its source."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.docs.pages import ROOT

pytest.importorskip("torch", reason="labs are simulated, and a federation trains")
pytest.importorskip("matplotlib", reason="a notebook draws")
SOURCES = sorted((ROOT / "docs" / "notebooks").glob("*.py"))


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    place = importlib.util.spec_from_file_location("make_notebooks", ROOT / "docs" / "make_notebooks.py")
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    sys.modules["make_notebooks"] = module  # dataclasses look their module up
    place.loader.exec_module(module)
    return module


def test_there_are_two() -> None:
    assert [path.stem for path in SOURCES] == ["explore_library", "write_a_strategy"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_something(source: Path) -> None:
    code = (
        "import json, sys; from pathlib import Path; import matplotlib; matplotlib.use('agg')\n"
        "sys.path.insert(0, sys.argv[1]); import make_notebooks\n"
        "print(json.dumps([outputs for _, outputs in make_notebooks.run(Path(sys.argv[2]))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "docs"), str(source)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = [one for outputs in json.loads(done.stdout) for one in outputs]
    printed = "".join("".join(one["text"]) for one in shown if one["output_type"] == "stream")
    if source.stem == "explore_library":
        assert sum(one["output_type"] == "display_data" for one in shown) == 2
        assert re.search(r"of \d+ classes are kept", printed)
    else:
        assert re.search(r"half-steps +AUC 0\.\d+", printed)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_notebook_is_made_of_its_source(source: Path, maker: ModuleType) -> None:
    kept = json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8"))
    assert (kept["nbformat"], kept["nbformat_minor"]) == (4, 5)
    found = [(cell["cell_type"] == "markdown", "".join(cell["source"])) for cell in kept["cells"]]
    wanted = [(cell.markdown, cell.source) for cell in maker.cells(source)]
    assert found == wanted, f"run: python docs/make_notebooks.py {source.stem}"
    assert any(cell.get("outputs") for cell in kept["cells"])


def test_a_strategy_takes_25_lines() -> None:
    text = (ROOT / "docs/notebooks/write_a_strategy.py").read_text(encoding="utf-8")
    lines = re.search("# begin\n(.*)# end", text, re.DOTALL).group(1).splitlines()  # type: ignore[union-attr]  # None fails the test
    assert len([line for line in lines if line.strip()]) <= 25
