"""What a program imports from `cryofed`: the names are a promise, and they cost nothing until used."""

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cryofed

NAMES = (
    "Campaign ClassJob CryoFedError Library Policy Scores Selection State Strategy __version__ "
    "compare open_job run_plan score select train write_selection"
)
SIGNATURES = {
    "compare": ["plan", "strategies", "seeds", "model", "untrained"],
    "open_job": ["path"],
    "run_plan": ["plan", "home", "model", "untrained", "device", "hook"],
    "score": ["job", "model", "device"],
    "select": ["job", "model", "policy", "device"],
    "write_selection": ["job", "selection", "folder"],
    "train": ["library", "out", "model", "seed", "epochs", "device"],
}


def test_the_names_are_these_and_each_says_what_it_is() -> None:
    assert cryofed.__all__ == NAMES.split()
    assert all(inspect.getdoc(getattr(cryofed, n)) for n in cryofed.__all__)
    assert {n: list(inspect.signature(getattr(cryofed, n)).parameters) for n in SIGNATURES} == SIGNATURES
    with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
        cryofed.frobnicate  # noqa: B018


def test_importing_costs_nothing_heavy() -> None:
    code = (
        "import sys, cryofed; cryofed.select\n"
        "print([m for m in ('torch', 'numpy', 'onnxruntime', 'argparse') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_job_is_opened_scored_selected_and_written(relion_job: Path, tmp_path: Path) -> None:
    job = cryofed.open_job(str(relion_job))
    scores = cryofed.score(job)
    assert np.isfinite(scores.score).tolist() == [True, False, True, True, False, True]
    selection = cryofed.select(job, policy=cryofed.Policy(threshold=0.0, min_particles=5))
    assert selection.kept.tolist() == [True, False, True, True, True, True]
    files = cryofed.write_selection(job, selection, tmp_path / "out")
    assert {f.name for f in files} == {f.name for f in (tmp_path / "out").iterdir()}
    assert tmp_path / "out/report.html" in files
    with pytest.raises(cryofed.CryoFedError, match="already holds a selection"):
        cryofed.write_selection(job, selection, tmp_path / "out")


def test_a_wrong_count_is_refused_by_name() -> None:
    with pytest.raises(cryofed.CryoFedError, match="min_particles must not be negative, got -1"):
        cryofed.Policy(min_particles=-1)
    with pytest.raises(cryofed.CryoFedError, match="no such file"):
        cryofed.open_job(Path("nowhere"))
