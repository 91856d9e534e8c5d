"""The commands, from outside."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarks.real.commands import main
from benchmarks.real.page import PAGE, sources_table

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path, make_mrc: Callable[..., Path], make_blobs: Callable[..., np.ndarray]) -> Path:
    """A folder that holds one set, `warp_bgal8`, four good classes and three bad ones."""
    (tmp_path / "sets").mkdir()
    make_mrc(tmp_path / "sets/warp_bgal8.mrcs", make_blobs(8))
    return tmp_path / "sets"


def test_any_program_gets_the_table(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = tmp_path / "mine.tsv"
    rows = [f"warp_bgal8\t{number}\t{9 - number}\t1" for number in range(1, 9)]
    scores.write_text("set\tclass_number\tscore\tkept\n" + "\n".join(rows) + "\n")
    assert main(["--sets", str(folder), "score", "--scores", str(scores)]) == 0
    told = capsys.readouterr()
    assert "| warp_bgal8 | 4 | 3 | " in told.out
    assert "no scores of trpv1_a50" in told.err


@pytest.mark.parametrize("command", [[], ["rule"], ["shipped"]])
def test_what_is_there_is_judged(
    command: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--sets", str(folder), *command]) == 0
    told = capsys.readouterr().out
    assert "warp_bgal8" in told
    assert ("not leave-one-molecule-out" in told) == (command != ["rule"])


def test_scores_of_a_model_can_be_written_and_read_back(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = tmp_path / "ours.tsv"
    assert main(["--sets", str(folder), "shipped", "--scores", str(scores)]) == 0
    first = capsys.readouterr().out.split("\n\n")[1:]
    assert main(["--sets", str(folder), "score", "--scores", str(scores)]) == 0
    assert capsys.readouterr().out.split("\n\n")[1:] == first


def test_an_empty_folder_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sets", str(tmp_path), "rule"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert "real build --out DIR" in told
    assert told.count("\n") == 1


def test_build_names_a_set_that_it_does_not_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--out", str(tmp_path), "--only", "slicem,nothing"]) == 1
    assert "--only: set: nothing; " in capsys.readouterr().err


def test_build_from_an_empty_mirror_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["build", "--out", str(tmp_path / "out"), "--mirror", str(tmp_path), "--only", "slicem"]
    assert main(words) == 1
    told = capsys.readouterr().out
    assert "slicem: error: marcottelab/SLICEM: data/mixture_2D.mrcs: not in " in told
    assert "wrote 0 sets" in told


def test_the_page_shows_the_sources_as_they_are() -> None:
    assert sources_table() in PAGE.read_text(encoding="utf-8"), (
        "run: python -m benchmarks real sources --write"
    )


def test_the_benchmark_is_found_by_its_name(folder: Path) -> None:
    words = [sys.executable, "-m", "benchmarks", "real", "--sets", str(folder), "rule"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warp_bgal8" in done.stdout


def test_seeds_of_one_program_are_averaged(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, order in ((1, 1), (2, -1)):
        rows = [f"warp_bgal8\t{number}\t{order * number}" for number in range(1, 9)]
        text = "set\tclass_number\tscore\n" + "\n".join(rows) + "\n"
        (tmp_path / f"mine-seed{seed}.tsv").write_text(text)
    paths = [str(tmp_path / f"mine-seed{seed}.tsv") for seed in (1, 2)]
    assert main(["--sets", str(folder), "compare", *paths]) == 0
    # What one order has right, the other has wrong: the mean AUC is one half.
    assert "| mine | 0.500 | – | 0.500 |" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--jobs", "--steps", "--further", "--seeds"])
def test_peers_need_numbers_above_zero(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["peers", option, "0"]) == 1
    assert f"error: {option}: number: 0; give 1 or more" in capsys.readouterr().err
