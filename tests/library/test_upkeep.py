"""Check, join and export libraries; what a killed import leaves behind."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cryofed.cli.main import main
from cryofed.errors import InputError, OutputError
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.library.labels import Labelling
from cryofed.library.store import Library
from cryofed.library.upkeep import export, merge, verify


def job(seed: int, n: int = 4) -> ClassJob:
    return ClassJob(
        program="images",
        path=Path("somewhere"),
        name=f"job{seed}",
        averages=np.random.default_rng(seed).normal(size=(n, 32, 32)).astype(np.float32),
        classes=ClassTable.unknown(n),
    )


def said(*values: float, source: str = "me") -> Labelling:
    return Labelling(
        habit="binary",
        values=np.array(values, np.float32),
        source=source,
        made_at="2026-01-01T00:00:00+00:00",
    )


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "site.db", create=True)


def test_a_whole_library_has_no_problems(library: Library) -> None:
    library.add(job(1), "P1", [said(1, 0, 1, 0)])
    assert verify(library) == []


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("UPDATE jobs SET images = zeroblob(length(images))", "job 1: images or features are not what was"),
        ("UPDATE jobs SET n = 5", "job 1: images has 32768 bytes for 5 classes"),
        ("DELETE FROM pictures", "job 1: wide has 0 bytes for 4 classes"),
        ("UPDATE labellings SET labels = x'00'", "labels 1: 1 and 4 bytes for 4 classes"),
    ],
)
def test_what_is_not_as_stored_is_told(library: Library, damage: str, problem: str) -> None:
    library.add(job(1), "P1", [said(1, 0, 1, 0)])
    library.sql.execute(damage)
    assert any(text.startswith(problem) for text in verify(library))


def test_merging_brings_in_only_what_is_new(library: Library, tmp_path: Path) -> None:
    library.add(job(1), "P1", [said(1, 0, 1, 0)])
    with Library(tmp_path / "other.db", create=True) as other:
        other.add(job(1), "P1", [said(1, 0, 1, 0), said(1, 1, 1, 0, source="you")])
        other.add(job(2), "P2", [said(0, 0, 1, 0)])
        expected = other.labelled()
    assert merge(library, tmp_path / "other.db") == (1, 2)
    assert merge(library, tmp_path / "other.db") == (0, 0)
    assert verify(library) == []
    got = library.labelled()
    np.testing.assert_array_equal(got.images, expected.images)
    assert got.target.tolist() == [1, 0.5, 1, 0, 0, 0, 1, 0]


def test_merging_keeps_what_was_decided_of_projects(library: Library, tmp_path: Path) -> None:
    with Library(tmp_path / "other.db", create=True) as other:
        for seed in range(5):
            other.add(job(seed), f"P{seed}", [said(1, 0, 1, 0)])
        other.labelled()
        there = {project.name: project.held_out for project in other.projects()}
    held = next(name for name, flag in there.items() if flag)
    library.add(job(int(held[1:])), held, [said(1, 0, 1, 0)])
    library.labelled()  # the only project here: it trains, and models have seen it
    merge(library, tmp_path / "other.db")
    assert {project.name: project.held_out for project in library.projects()} == {**there, held: False}


def test_a_library_is_not_merged_with_itself(library: Library) -> None:
    with pytest.raises(InputError, match="same file"):
        merge(library, library.path)


def test_an_export_can_be_read_without_cryofed(library: Library, tmp_path: Path) -> None:
    library.add(job(1), "P1", [said(1, 0, float("nan"), 0), said(1, 1, float("nan"), 0, source="you")])
    assert export(library, tmp_path / "out") == 4
    images = np.load(tmp_path / "out/averages.npy")
    np.testing.assert_array_equal(images, library.images(1))
    lines = [line.split("\t") for line in (tmp_path / "out/labels.tsv").read_text().splitlines()]
    head, rows = lines[0], lines[1:]
    picked = [[row[head.index(name)] for name in ("row", "target", "value", "source")] for row in rows]
    assert picked == [
        ["0", "1.0000", "1", "me"],
        ["0", "1.0000", "1", "you"],
        ["1", "0.5000", "0", "me"],
        ["1", "0.5000", "1", "you"],
        ["2", "", "", ""],
        ["3", "0.0000", "0", "me"],
        ["3", "0.0000", "0", "you"],
    ]
    with pytest.raises(OutputError, match="not empty"):
        export(library, tmp_path / "out")


IMPORT = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_upkeep import job, said
from cryofed.library.store import Library
with Library(Path(sys.argv[1])) as library:
    for seed in range(10**6):
        library.add(job(seed, 50), f"P{seed % 7}", [said(*[1, 0] * 25)])
        print(seed, flush=True)
"""


def test_a_killed_import_leaves_every_finished_job_whole(library: Library, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    program = [sys.executable, "-c", IMPORT, str(library.path), str(Path(__file__).parent)]
    for _ in range(5):
        enough = len(library.jobs()) + 2
        process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) + 1 >= enough:
                break
        time.sleep(float(rng.uniform(0, 0.1)))  # somewhere within the next jobs
        process.kill()
        rest = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        told = int(rest[-1] if rest else line) + 1
        with Library(library.path) as again:
            assert verify(again) == []
            jobs = again.jobs()
            assert len(jobs) in (told, told + 1)  # the last may be stored and not yet told
            assert [j.name for j in jobs] == [f"job{seed}" for seed in range(len(jobs))]
            assert all(len(j.labellings) == 1 for j in jobs)


def test_the_command_harvests_and_tells(relion_project, tmp_path, capsys) -> None:
    for number, name in enumerate(("apo", "holo")):
        project = relion_project(name)
        project.select(4, project.class2d(2, seed=number), colours=[0, 1, 1, 0, 0])
        project.select(5, "", colours=[1, 0], label="relion.select.split", options={"do_split": "Yes"})
    line = ["harvest", str(tmp_path / "data"), "--library", str(tmp_path / "site.db")]
    assert main([*line, "--dry-run"]) == 0
    assert not (tmp_path / "site.db").exists()
    assert "nothing was kept" in capsys.readouterr().out
    assert main(line) == 0
    told = capsys.readouterr()
    expected = (
        "4 selections found, 2 used (8 class averages, 4 kept by the expert), 0 known already, 2 skipped"
    )
    assert told.out.strip() == expected
    assert "no class was judged" in " ".join(told.err.replace("│", " ").split())
    assert main(["library", "info", str(tmp_path / "site.db")]) == 0
    assert "2 projects, 2 jobs, 10 averages; 4 labelled to train on, 4 held out" in capsys.readouterr().out
    assert main(["library", "verify", str(tmp_path / "site.db")]) == 0
    assert main(["library", "export", str(tmp_path / "site.db"), "--to", str(tmp_path / "out")]) == 0
    assert main(["library", "merge", str(tmp_path / "new.db"), str(tmp_path / "site.db")]) == 0
    assert "2 jobs and 2 selections brought in" in capsys.readouterr().out
    assert main(["library", "merge", str(tmp_path / "site.db"), str(tmp_path / "none.db")]) == 1
    assert "no such file" in capsys.readouterr().err


def test_a_wrong_path_is_one_clear_line(tmp_path, capsys) -> None:
    assert main(["harvest", str(tmp_path / "none"), "--library", str(tmp_path / "site.db")]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "site.db").exists()
