"""A project grows under watch: every classification is selected once, whole, and outside its own files."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import starfile

from cryofed.cli.main import main
from cryofed.errors import OutputError
from cryofed.scoring.scorer import Scores, score_job
from cryofed.selection.policy import Policy
from cryofed.watching.finished import SUCCESS
from cryofed.watching.memory import open_memory
from cryofed.watching.select_one import Settings
from cryofed.watching.watch import Watch

FILES = ["run_it025_classes.mrcs", "run_it025_data.star", "run_it025_model.star", "run_it025_optimiser.star"]
JOB = "Class2D/job010"


@pytest.fixture
def source(finished_sites: Path) -> Path:
    return finished_sites / "site-1" / "project-1"


@pytest.fixture
def project(tmp_path: Path, source: Path) -> Path:
    """A RELION project in which nothing has finished."""
    (tmp_path / "project" / JOB).mkdir(parents=True)
    shutil.copy(source / "default_pipeline.star", tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def watch(project: Path) -> Iterator[Callable[..., Watch]]:
    memories = []

    def start(folder: Path = project, max_loss: float = 1.0) -> Watch:
        for memory in memories:
            memory.close()
        memories.append(open_memory(folder / "CryoFed"))
        policy = Policy(max_loss=max_loss)
        return Watch(project=folder, memory=memories[-1], settings=Settings(policy=policy), settle_s=0)

    yield start
    for memory in memories:
        memory.close()


def finish(source: Path, project: Path, job: str = JOB, names: list[str] | None = None) -> None:
    (project / job).mkdir(parents=True, exist_ok=True)
    for name in [*FILES, SUCCESS] if names is None else names:
        shutil.copy(source / job / name, project / job / name)


def selections(project: Path) -> list[str]:
    found = (project / "CryoFed").rglob("backup_selection.star")
    return sorted(str(f.parent.relative_to(project / "CryoFed")) for f in found)


def outcomes(watch: Watch) -> dict[str, str]:
    return {name: record.outcome for name, record in watch.memory.records.items()}


def test_a_job_is_selected_when_it_has_finished_and_not_before(
    project: Path, source: Path, watch: Callable[..., Watch]
) -> None:
    one = watch()
    finish(source, project, names=FILES)  # the last iteration is there, RELION still runs
    one.look()
    assert selections(project) == []
    finish(source, project, names=[SUCCESS])
    one.look()
    assert selections(project) == ["Class2D/job010/run_it025"]
    before = starfile.read(source / JOB / "run_it025_model.star")["model_classes"]
    written = starfile.read(project / "CryoFed" / JOB / "run_it025" / "backup_selection.star")
    assert len(written) == len(before)


def test_nothing_of_the_program_is_changed(project: Path, source: Path, watch: Callable[..., Watch]) -> None:
    finish(source, project)
    before = {p: p.stat().st_mtime_ns for p in project.rglob("*")}
    watch().look()
    after = {p: p.stat().st_mtime_ns for p in project.rglob("*") if "CryoFed" not in p.parts}
    assert after == before


def test_a_job_without_its_last_file_waits_for_it(
    project: Path, source: Path, watch: Callable[..., Watch]
) -> None:
    one = watch()
    finish(source, project, names=[*FILES[1:], SUCCESS])
    one.look()
    assert outcomes(one) == {}
    finish(source, project, names=FILES[:1])
    one.look()
    assert outcomes(one) == {"Class2D/job010/run_it025": "kept"}


def test_a_half_written_file_is_read_again_when_it_is_whole(
    project: Path, source: Path, watch: Callable[..., Watch]
) -> None:
    one = watch()
    finish(source, project)
    averages = project / JOB / FILES[0]
    whole = averages.read_bytes()
    averages.write_bytes(whole[: len(whole) // 2])
    one.look()
    assert outcomes(one) == {"Class2D/job010/run_it025": "broken"}
    assert selections(project) == []
    averages.write_bytes(whole)
    one.look()
    assert outcomes(one) == {"Class2D/job010/run_it025": "kept"}


def test_files_that_still_change_are_left_alone(
    project: Path, source: Path, watch: Callable[..., Watch]
) -> None:
    one = watch()
    one.settle_s = 60
    finish(source, project)
    assert one.look() == 1
    assert selections(project) == []
    for name in FILES:
        os.utime(project / JOB / name, (time.time() - 61,) * 2)
    assert one.look() == 0
    assert len(selections(project)) == 1


def test_after_a_restart_nothing_is_scored_twice(
    project: Path, source: Path, watch: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(source, project)
    watch().look()

    def scored_again(*_: object) -> None:
        raise AssertionError("scored twice")

    monkeypatch.setattr("cryofed.watching.watch.select_one", scored_again)
    for name in FILES:
        (project / JOB / name).touch()  # as after a restore from tape: same contents, other times
    again = watch()
    again.look()
    finish(source, project)
    shutil.copytree(project / JOB, project / "Class2D" / "job099")
    again.look()
    assert outcomes(again) == {"Class2D/job010/run_it025": "kept", "Class2D/job099/run_it025": "same"}


def test_a_job_that_ran_again_gets_a_second_selection_and_keeps_the_first(
    project: Path, source: Path, watch: Callable[..., Watch]
) -> None:
    one = watch()
    finish(source, project)
    one.look()
    for name in FILES:  # the other job's results under the same name
        text = (source / "Class2D/job012" / name).read_bytes()
        (project / JOB / name).write_bytes(text.replace(b"job012", b"job010"))
    one.look()
    assert selections(project) == ["Class2D/job010/run_it025", "Class2D/job010/run_it025_2"]


def test_cryosparc_jobs_wait_for_their_status(
    tmp_path: Path, finished_sites: Path, watch: Callable[..., Watch]
) -> None:
    project = tmp_path / "P3"
    shutil.copytree(finished_sites / "site-2" / "project-1", project)
    document = json.loads((project / "J10" / "job.json").read_text())
    (project / "J10" / "job.json").write_text(json.dumps(document | {"status": "running"}))
    (project / "J12" / "job.json").write_text('{"status": "comp')  # half written
    one = watch(project)
    one.look()
    assert outcomes(one) == {}
    for job in ("J10", "J12"):
        shutil.copy(finished_sites / "site-2" / "project-1" / job / "job.json", project / job / "job.json")
    one.look()
    assert outcomes(one) == {"J10/J10_020": "kept", "J12/J12_020": "kept"}
    assert (project / "CryoFed/J10/J10_020/particles_selected.cs").is_file()


def test_a_selection_that_would_lose_too_much_is_left_to_a_person(
    project: Path, source: Path, watch: Callable[..., Watch]
) -> None:
    one = watch(max_loss=0.0)
    finish(source, project)
    one.look()
    (record,) = one.memory.records.values()
    assert record.outcome == "look"
    assert "more than 0 %" in record.note
    assert selections(project) == []
    page = (project / "CryoFed" / "index.html").read_text()
    assert "please look" in page
    assert "Class2D/job010/run_it025/report.html" in page


def test_a_job_in_doubt_is_left_to_a_person(
    project: Path, source: Path, watch: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    def doubted(*given: Any) -> Scores:
        return replace(score_job(*given), doubt=0.4)

    monkeypatch.setattr("cryofed.watching.select_one.score_job", doubted)
    one = watch()
    finish(source, project)
    one.look()
    (record,) = one.memory.records.values()
    assert record.outcome == "look"
    assert "give or take 40 %" in record.note
    assert selections(project) == []


def test_the_summary_counts_what_was_kept(project: Path, source: Path, watch: Callable[..., Watch]) -> None:
    one = watch()
    finish(source, project)
    one.look()
    (record,) = one.memory.records.values()
    page = (project / "CryoFed" / "index.html").read_text()
    assert f"{record.classes_kept} of {record.classes}" in page
    assert f"{record.particles_kept:,}" in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_disk_that_goes_away_is_said_once_and_forgiven(
    project: Path, source: Path, watch: Callable[..., Watch], capfd: pytest.CaptureFixture[str]
) -> None:
    one = watch()
    away = project / "Class2D"
    away.rename(project / "elsewhere")
    away.write_text("not a folder")
    one.look()
    one.look()
    assert capfd.readouterr().err.count("is the disk there") == 1
    away.unlink()
    (project / "elsewhere").rename(away)
    finish(source, project)
    one.look()
    assert len(selections(project)) == 1


def test_two_watches_cannot_share_a_folder(project: Path, watch: Callable[..., Watch]) -> None:
    watch()
    with pytest.raises(OutputError, match="another watch runs here"):
        open_memory(project / "CryoFed")


def test_a_folder_that_is_no_project_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", str(tmp_path), "--once"]) == 1
    assert "no project of RELION or CryoSPARC" in capfd.readouterr().err


def test_memory_does_not_grow_with_the_number_of_looks(
    project: Path, source: Path, watch: Callable[..., Watch]
) -> None:
    one = watch()
    finish(source, project)
    tracemalloc.start()
    used = []
    for _ in range(3):
        for _ in range(60):
            one.look()
        gc.collect()
        used.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert used[2] - used[1] < 5_000  # bytes in 60 looks, half an hour at the default interval


def command(project: Path, *more: str) -> subprocess.Popen[str]:
    arguments = ["watch", str(project), "--settle", "0", "--interval", "0.2", "--max-loss", "1", *more]
    return subprocess.Popen([sys.executable, "-m", "cryofed", *arguments], stderr=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def test_killed_at_any_moment_and_started_again_it_ends_with_one_whole_selection_each(
    project: Path, source: Path
) -> None:
    finish(source, project)
    finish(source, project, "Class2D/job012")
    out = project / "CryoFed"
    moments: list[Callable[[], object]] = [
        (out / "watch.json").exists,  # the first decision is remembered, its files are not there
        (out / JOB / "run_it025").exists,  # its files are there, perhaps not remembered
        lambda: len(selections(project)) == 2,
    ]
    for moment in moments:
        with command(project) as process:
            wait_for(moment)
            process.kill()
    with command(project, "--once") as process:
        assert process.wait(60) == 0
    assert selections(project) == ["Class2D/job010/run_it025", "Class2D/job012/run_it025"]
    for name in selections(project):
        assert starfile.read(out / name / "particles.star")["particles"] is not None
        assert (out / name / "report.html").stat().st_size > 1000
    hidden = [p for p in out.rglob(".*") if p.name != ".watch.lock"]
    assert hidden == []
    records = json.loads((out / "watch.json").read_text())["jobs"]
    assert [r["outcome"] for r in records] == ["kept", "kept"]


def test_sigterm_ends_it_cleanly(project: Path) -> None:
    with command(project) as process:
        assert process.stderr is not None
        assert "watching" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stderr.read().strip().endswith("stopped")


def test_it_learns_from_the_experts_selection_of_an_earlier_job_says_so_and_can_be_told_not_to(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "project"
    shutil.copytree(source, project)  # job010 and job012, each with a Select job: 011 and 013
    assert main(["watch", str(project), "--once", "--settle", "0"]) == 0
    told = capsys.readouterr().err
    assert f"learnt from {project.resolve() / 'Select' / 'job011'}" in told
    records = json.loads((project / "CryoFed" / "watch.json").read_text())["jobs"]
    by_name = {record["name"]: record["learnt"] for record in records}
    assert "Select/job013" in by_name["Class2D/job010/run_it025"]
    assert "Select/job011" in by_name["Class2D/job012/run_it025"]
    assert "Select/job011" in (project / "CryoFed" / "index.html").read_text()
    assert (
        main(
            ["watch", str(project), "--once", "--settle", "0", "--out", str(tmp_path / "w"), "--no-learning"]
        )
        == 0
    )
    assert "learnt" not in capsys.readouterr().err


def test_an_earlier_selection_that_cannot_be_read_stops_nothing(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "project"
    shutil.copytree(source, project)
    shutil.rmtree(project / "Select" / "job013")
    (project / "Class2D" / "job010" / FILES[0]).write_bytes(b"no stack")  # what job011 speaks of
    assert main(["watch", str(project), "--once", "--settle", "0"]) == 0
    told = capsys.readouterr().err
    assert "not learnt: " in told
    assert "Class2D/job012/run_it025: kept" in told
