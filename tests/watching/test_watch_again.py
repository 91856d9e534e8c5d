"""What a watch passes by, and what it tries again."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cryofed.selection.policy import Policy
from cryofed.watching import watch as watching
from cryofed.watching.memory import open_memory
from cryofed.watching.select_one import Settings
from cryofed.watching.watch import Watch

JOB = "Class2D/job010"


@pytest.fixture
def project(tmp_path: Path, finished_sites: Path) -> Path:
    """A RELION project with one finished job, which is a link to another disk."""
    source = finished_sites / "site-1/project-1"
    (tmp_path / "project/Class2D").mkdir(parents=True)
    shutil.copy(source / "default_pipeline.star", tmp_path / "project")
    shutil.copytree(source / JOB, tmp_path / "disk2/job010")
    (tmp_path / "project" / JOB).symlink_to(tmp_path / "disk2/job010")
    return tmp_path / "project"


@pytest.fixture
def look(project: Path) -> Callable[[], dict[str, str]]:
    """Start a watch anew and look once; what became of each job."""

    def once() -> dict[str, str]:
        memory = open_memory(project / "CryoFed")
        try:
            Watch(
                project=project, memory=memory, settings=Settings(policy=Policy(max_loss=1.0)), settle_s=0
            ).look()
        finally:
            memory.close()
        return {record.name: record.outcome for record in memory.records.values()}

    return once


def test_linked_jobs_are_selected_once(project: Path, look: Callable[[], dict[str, str]]) -> None:
    (project / "Class2D/best").symlink_to("job010")  # an alias, as RELION makes it
    assert look() == {f"{JOB}/run_it025": "kept"}


def test_what_cannot_be_watched_is_said(
    project: Path, look: Callable[[], dict[str, str]], capfd: pytest.CaptureFixture[str]
) -> None:
    (project / JOB).unlink()
    (project / JOB).symlink_to("/nowhere/job010")
    assert look() == {}
    assert f"{JOB}: passed by: no folder; if it was a link, its target is not here" in capfd.readouterr().err


def test_a_job_that_failed_is_tried_again_after_a_restart(
    project: Path,
    look: Callable[[], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug of this version")

    select_one = watching.select_one
    monkeypatch.setattr(watching, "select_one", broken)
    assert look() == {f"{JOB}/run_it025": "broken"}
    said = capfd.readouterr().err
    assert "Traceback" in said  # for whoever mends it
    assert "broken: ZeroDivisionError: a bug of this version" in said
    monkeypatch.setattr(watching, "select_one", select_one)
    assert look() == {f"{JOB}/run_it025": "kept"}


def test_a_summary_that_cannot_be_written_does_not_end_the_watch(
    project: Path, look: Callable[[], dict[str, str]], capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "CryoFed/index.html").mkdir(parents=True)
    assert look() == {f"{JOB}/run_it025": "kept"}
    assert "index.html: file: cannot be written: Is a directory" in capfd.readouterr().err
