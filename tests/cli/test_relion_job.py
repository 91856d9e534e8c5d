"""CryoFed as an External job: RELION's files, RELION's exit marks, and RELION's own pipeline running it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from shutil import copytree, which
from typing import Any

import pytest
import starfile

from cryofed.cli.main import main
from cryofed.scoring.scorer import Scores, score_job

DATA = "Class2D/job010/run_it025_data.star"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cryofed.simulation.sites import write_sites

    out = tmp_path_factory.mktemp("external") / "sites"
    write_sites(out, 1, 1, seed=4)
    return out / "site-1" / "project-1"


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one classification; RELION runs every job from the project's folder."""
    copytree(made, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def relion_job(*more: str) -> int:
    return main(
        ["relion-job", "--o", "External/job014/", "--in_parts", DATA, "--max_loss", "1", *more, "--j", "4"]
    )


def marks(project: Path) -> list[str]:
    return sorted(p.name for p in (project / "External/job014").glob("RELION_JOB_*"))


def test_success_leaves_the_mark_and_names_what_the_next_job_can_take(project: Path) -> None:
    assert relion_job() == 0
    assert marks(project) == ["RELION_JOB_EXIT_SUCCESS"]
    nodes = starfile.read(project / "External/job014/RELION_OUTPUT_NODES.star")
    assert nodes["rlnPipeLineNodeName"].tolist() == [
        "External/job014/particles.star",
        "External/job014/class_averages.star",
        "External/job014/rank_optimiser.star",
    ]
    assert nodes["rlnPipeLineNodeTypeLabel"][0] == "ParticleGroupMetadata.star.relion"
    assert all((project / name).is_file() for name in nodes["rlnPipeLineNodeName"])


def test_labels_and_values_typed_in_relions_window_are_understood(project: Path) -> None:
    assert relion_job("--threshold", "0", "--keep_views", "Yes", "--min_particles", "20") == 0
    selected = starfile.read(project / "External/job014/backup_selection.star")["rlnSelected"]
    counts = starfile.read(project / DATA)["particles"]["rlnClassNumber"].value_counts()
    assert selected.sum() == (counts >= 20).sum()  # cut 0 keeps every class that is scored


def test_failure_leaves_the_mark_and_one_line(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / DATA).write_text("data_\n")
    assert relion_job() == 1
    assert marks(project) == ["RELION_JOB_EXIT_FAILURE"]
    assert capfd.readouterr().err.count("\n") == 1


def test_a_selection_that_loses_too_much_fails_and_writes_nothing(project: Path) -> None:
    assert relion_job("--max_loss", "0") == 1
    assert marks(project) == ["RELION_JOB_EXIT_FAILURE"]
    assert not (project / "External/job014/particles.star").exists()


def test_a_job_in_doubt_fails_until_the_user_lets_it_pass(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def doubted(*given: Any) -> Scores:
        return replace(score_job(*given), doubt=0.4)

    monkeypatch.setattr("cryofed.scoring.scorer.score_job", doubted)
    assert relion_job("--threshold", "0") == 1
    assert "give or take 40 %" in capfd.readouterr().err
    assert marks(project) == ["RELION_JOB_EXIT_FAILURE"]
    assert not (project / "External/job014/particles.star").exists()
    assert relion_job("--threshold", "0", "--max_doubt", "0.5") == 0
    assert marks(project) == ["RELION_JOB_EXIT_SUCCESS"]


def test_a_job_stopped_in_relions_window_ends_as_aborted(project: Path) -> None:
    folder = project / "External/job014"
    folder.mkdir(parents=True)
    (folder / "RELION_JOB_ABORT_NOW").touch()
    assert relion_job() == 1
    assert marks(project) == ["RELION_JOB_EXIT_ABORTED"]


@pytest.mark.parametrize(
    "wrong", [["--treshold", "0.5"], ["--threshold", "half"], ["--keep_views", "perhaps"]]
)
def test_a_mistyped_parameter_fails_the_job_and_does_not_leave_relion_waiting(project: Path, wrong) -> None:
    (project / "External/job014").mkdir(parents=True)  # RELION makes it
    with pytest.raises(SystemExit, match="2"):
        relion_job(*wrong)
    assert marks(project) == ["RELION_JOB_EXIT_FAILURE"]


def test_the_optimiser_will_do_instead_of_particles_and_nothing_will_not(project: Path) -> None:
    line = ["relion-job", "--o", "External/job014/", "--max_loss", "1"]
    assert main([*line, "--optimiser", DATA.replace("data", "optimiser")]) == 0
    assert main(line) == 1
    assert marks(project) == ["RELION_JOB_EXIT_FAILURE"]


def test_the_same_job_run_again_replaces_its_own_files(project: Path) -> None:
    relion_job("--threshold", "0")
    first = (project / "External/job014/class_averages.star").read_text()
    assert relion_job("--threshold", "0.9999") in (0, 1)
    assert relion_job() == 0
    assert (project / "External/job014/class_averages.star").read_text() != first
    assert marks(project) == ["RELION_JOB_EXIT_SUCCESS"]


JOB = """
# version 30001

data_job

_rlnJobType                             99
_rlnJobIsContinue                       0


# version 30001

data_joboptions_values

loop_
_rlnJobOptionVariable #1
_rlnJobOptionValue #2
  do_queue         No
    fn_exe  "{python} -m cryofed relion-job"
  in_3dref         ""
 in_coords         ""
   in_mask         ""
    in_mic         ""
    in_mov         ""
   in_part {data}
nr_threads          1
param1_label max_loss
param1_value        1
other_args         ""
"""
EMPTY = "\n# version 30001\n\ndata_pipeline_general\n\n_rlnPipeLineJobCounter                       14\n \n"


@pytest.mark.skipif(which("relion_pipeliner") is None, reason="RELION is not installed")
def test_relions_own_pipeline_runs_it_and_takes_its_outputs(project: Path) -> None:
    version = subprocess.run(["relion_pipeliner", "--version"], capture_output=True, text=True, check=False)
    if "3.1" not in version.stdout:
        pytest.skip("the job file of this test is that of RELION 3.1")
    (project / "default_pipeline.star").write_text(EMPTY)
    (project / "new.star").write_text(JOB.format(python=sys.executable, data=DATA))
    for arguments in (
        ["--addJobFromStar", "new.star"],
        ["--RunJobs", "External/job014/", "--schedule", "one", "--sec_wait_after", "1"],
    ):
        subprocess.run(["relion_pipeliner", *arguments], check=True, timeout=120, capture_output=True)
    pipeline = starfile.read(project / "default_pipeline.star", always_dict=True)
    process = pipeline["pipeline_processes"].iloc[0]
    assert process["rlnPipeLineProcessName"] == "External/job014/"
    assert process["rlnPipeLineProcessStatus"] == 2  # finished
    made = pipeline["pipeline_output_edges"]["rlnPipeLineEdgeToNode"].tolist()
    assert "External/job014/particles.star" in made
    types = pipeline["pipeline_nodes"].set_index("rlnPipeLineNodeName")["rlnPipeLineNodeType"]
    assert types["External/job014/particles.star"] == 3  # particles, so that any job takes them
