"""The six files, as RELION's class ranker writes them; RELION, where installed, reads them back."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import starfile

from cryofed.jobs.job import ClassJob
from cryofed.jobs.opening import open_job
from cryofed.scoring.reasons import REASONS
from cryofed.scoring.scorer import Scores
from cryofed.selection.policy import decide
from cryofed.selection.relion import FILES
from cryofed.selection.writer import write_selection

SCORES = [0.91, np.nan, 0.04, 0.83, np.nan, 0.75]  # classes 2 and 5 are not scored: 0 and 5 particles
KEPT = [1, 4, 6]


@pytest.fixture
def job(relion_job: Path) -> ClassJob:
    return open_job(relion_job)


@pytest.fixture
def out(job: ClassJob, relion_job: Path) -> Path:
    """A selection in the project of the job."""
    scores = Scores(score=np.array(SCORES), reasons=np.full((6, len(REASONS)), 0.1), unsure=np.zeros(6, bool))
    folder = relion_job.parents[1] / "Select/job013"
    write_selection(job, decide(job, scores), folder)
    return folder


def test_exactly_the_six_files_and_the_report_are_written(out: Path) -> None:
    assert {path.name for path in out.iterdir()} == {*FILES, "report.html"}


def test_backup_selection_has_one_row_for_every_class_also_empty_ones(out: Path) -> None:
    text = (out / "backup_selection.star").read_text()
    assert "\ndata_\n" in text
    assert starfile.read(out / "backup_selection.star")["rlnSelected"].tolist() == [1, 0, 0, 1, 0, 1]


def test_class_averages_lists_the_kept_classes(out: Path) -> None:
    table = starfile.read(out / "class_averages.star")
    assert "\ndata_\n" in (out / "class_averages.star").read_text()
    assert list(table) == [
        "rlnReferenceImage",
        "rlnPredictedClassScore",
        "rlnClassDistribution",
        "rlnAccuracyRotations",
        "rlnAccuracyTranslationsAngst",
        "rlnEstimatedResolution",
    ]
    assert table["rlnPredictedClassScore"].tolist() == [0.91, 0.83, 0.75]
    assert table["rlnReferenceImage"].tolist() == [
        f"{number:06d}@Class2D/job012/run_it025_classes.mrcs" for number in KEPT
    ]


def test_rank_model_has_every_class_with_its_score_or_minus_999(out: Path) -> None:
    blocks = starfile.read(out / "rank_model.star", always_dict=True)
    assert list(blocks) == ["model_classes"]
    table = blocks["model_classes"]
    assert list(table) == [
        "rlnReferenceImage",
        "rlnClassScore",
        "rlnClassDistribution",
        "rlnAccuracyRotations",
        "rlnAccuracyTranslationsAngst",
        "rlnEstimatedResolution",
        "rlnOverallFourierCompleteness",
        "rlnClassPriorOffsetX",
        "rlnClassPriorOffsetY",
    ]
    assert table["rlnClassScore"].tolist() == [0.91, -999, 0.04, 0.83, -999, 0.75]


def test_particles_are_the_rows_of_kept_classes_byte_for_byte(out: Path, job: ClassJob) -> None:
    before = job.files["data"].read_bytes().splitlines()
    after = (out / "particles.star").read_bytes().splitlines()
    rows = [line for line in before if b"@p.mrcs" in line]
    kept = [line for line in rows if int(line.split()[3]) in KEPT]
    assert after == [line for line in before if line not in rows or line in kept]
    assert len(kept) == 40 + 60 + 12


def test_rank_data_is_the_input(out: Path, job: ClassJob) -> None:
    assert (out / "rank_data.star").read_bytes() == job.files["data"].read_bytes()


def test_rank_optimiser_differs_only_in_two_names_relative_to_the_project(out: Path, job: ClassJob) -> None:
    before = job.files["optimiser"].read_text().splitlines()
    after = (out / "rank_optimiser.star").read_text().splitlines()
    changed = [new.split() for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [
        ["_rlnModelStarFile", "Select/job013/rank_model.star"],
        ["_rlnExperimentalDataStarFile", "Select/job013/rank_data.star"],
    ]


def test_outside_the_project_the_names_are_absolute(job: ClassJob, out: Path, tmp_path: Path) -> None:
    scores = Scores(score=np.ones(6), reasons=np.full((6, len(REASONS)), 0.1), unsure=np.zeros(6, bool))
    write_selection(job, decide(job, scores), tmp_path / "else where")
    text = (tmp_path / "else where/rank_optimiser.star").read_text()
    assert f'"{tmp_path}/else where/rank_model.star"' in text  # quoted, for it holds a space


def relion_handles(source: Path, target: Path, *options: str) -> str:
    """What RELION's own reader says of a file, and the table that it writes back into `target`."""
    if shutil.which("relion_star_handler") is None:
        pytest.skip("RELION is not installed")
    command = ["relion_star_handler", "--i", str(source), "--o", str(target), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def named(source: Path, target: Path) -> Path:
    """A copy with a named table: RELION 3.1's star_handler never looks into a table without a name."""
    target.write_text(source.read_text().replace("\ndata_\n", "\ndata_discover\n"))
    return target


def test_relion_reads_the_particles(out: Path, tmp_path: Path) -> None:
    told = relion_handles(
        out / "particles.star", tmp_path / "o.star", "--select", "rlnClassNumber", "--maxval", "4"
    )
    assert "with 100 item(s)" in told  # 40 of class 1 and 60 of class 4
    assert len(starfile.read(tmp_path / "o.star")["particles"]) == 100


def test_relion_reads_the_class_averages(out: Path, tmp_path: Path) -> None:
    operate = ("--operate", "rlnEstimatedResolution", "--multiply_by", "2")
    told = relion_handles(out / "class_averages.star", tmp_path / "o.star", *operate)
    # it went through the columns: this label is one of version 4, which 3.1 keeps as it is
    assert "maintain) values for the unknown label: rlnPredictedClassScore" in told
    source = named(out / "class_averages.star", tmp_path / "averages.star")
    select = ("--ignore_optics", "--select", "rlnEstimatedResolution", "--maxval", "15")
    relion_handles(source, tmp_path / "o.star", *select)
    table = starfile.read(tmp_path / "o.star")
    # resolutions are 10 + class number: 11 and 14 of classes 1, 4 and 6
    assert table["rlnEstimatedResolution"].tolist() == [11, 14]
    assert table["rlnPredictedClassScore"].tolist() == [0.91, 0.83]


def test_relion_reads_the_selection_and_the_ranked_model(out: Path, tmp_path: Path) -> None:
    source = named(out / "backup_selection.star", tmp_path / "backup.star")
    relion_handles(source, tmp_path / "o.star", "--ignore_optics", "--select", "rlnSelected", "--minval", "1")
    assert starfile.read(tmp_path / "o.star")["rlnSelected"].tolist() == [1, 1, 1]
    source = tmp_path / "model.star"
    source.write_text((out / "rank_model.star").read_text().replace("data_model_classes", "data_discover"))
    select = ("--ignore_optics", "--select", "rlnAccuracyRotations", "--maxval", "5")
    relion_handles(source, tmp_path / "m.star", *select)
    # accuracies are 2 + class number: 3, 4 and 5 of the first three
    assert starfile.read(tmp_path / "m.star")["rlnClassScore"].tolist() == [0.91, -999, 0.04]


def test_an_empty_selection_keeps_the_tables_without_rows(job: ClassJob, tmp_path: Path) -> None:
    scores = Scores(score=np.zeros(6), reasons=np.full((6, len(REASONS)), 0.1), unsure=np.zeros(6, bool))
    write_selection(job, decide(job, scores), tmp_path / "none")
    assert starfile.read(tmp_path / "none/particles.star")["optics"] is not None
    assert "@" not in (tmp_path / "none/particles.star").read_text()
    assert "@" not in (tmp_path / "none/class_averages.star").read_text()
