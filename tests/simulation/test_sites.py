"""Sites on disk: real RELION and CryoSPARC folders, labelled by each site's habit, the same for a seed."""

from __future__ import annotations

import csv
import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import starfile

from cryofed.cli.main import main
from cryofed.errors import InputError, OutputError
from cryofed.jobs.opening import open_job
from cryofed.learning.corpus import read_shards
from cryofed.simulation.classes.habits import HABITS, Habit, label
from cryofed.simulation.classes.truth import Truth
from cryofed.simulation.molecules.shapes import KINDS
from cryofed.simulation.sites import apart, draw_site, write_sites


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "sites"
    write_sites(out, 3, 2, seed=5, cryosparc=1)
    return out


def digest(folder: Path) -> dict[str, str]:
    """Hash of every file."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_same_seed_writes_the_same_files_with_any_number_of_workers(sites: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    write_sites(again, 3, 2, seed=5, cryosparc=1, workers=2)
    assert digest(sites) == digest(again)


@pytest.mark.parametrize("name", ["site-1/project-1/Class2D/job010", "site-3/project-1/J10"])
def test_a_job_opens_and_counts_the_particles_that_its_truth_names(sites: Path, name: str) -> None:
    job = open_job(sites / name)
    with (sites / name / "truth.tsv").open() as file:
        truth = list(csv.DictReader(file, delimiter="\t"))
    assert [int(row["n_particles"]) for row in truth] == job.classes.particles.tolist()
    assert job.program == ("cryosparc" if "J10" in name else "relion")
    assert job.mask_diameter_angstrom is not None
    assert np.isfinite(job.averages).all()


def test_the_selection_of_a_relion_site_holds_one_row_per_class_and_only_particles_of_kept_ones(
    sites: Path,
) -> None:
    project = sites / "site-1" / "project-1"
    backup = starfile.read(project / "Select/job011/backup_selection.star")["rlnSelected"].to_numpy()
    job = open_job(project / "Class2D/job010")
    assert len(backup) == len(job.classes)
    rows = starfile.read(project / "Select/job011/particles.star")["particles"]
    assert len(rows) == job.classes.particles[backup > 0].sum()
    assert set(rows["rlnClassNumber"]) == set((np.flatnonzero(backup) + 1).tolist())


def test_a_colours_site_uses_relions_colours_and_scores_its_job(sites: Path) -> None:
    select = sites / "site-2" / "project-1" / "Select/job011"
    backup = starfile.read(select / "backup_selection.star")["rlnSelected"]
    assert set(backup) <= {0, 1, 2, 3, 5}
    assert 0 <= float((select / "job_score.txt").read_text()) <= 1


def test_a_cryosparc_site_splits_templates_and_particles_between_selected_and_excluded(sites: Path) -> None:
    project = sites / "site-3" / "project-1"
    whole = np.load(project / "J10" / "J10_020_particles.cs")
    parts = [np.load(project / "J11" / f"particles_{what}.cs") for what in ("selected", "excluded")]
    assert sum(map(len, parts)) == len(whole)
    kept = np.load(project / "J11" / "templates_selected.cs")["blob/idx"]
    assert set(parts[0]["alignments2D/class"]) <= set(kept)


@pytest.mark.skipif(shutil.which("relion_star_handler") is None, reason="RELION is not installed")
def test_relion_reads_the_particle_table(sites: Path, tmp_path: Path) -> None:
    data = sites / "site-1/project-1/Class2D/job010/run_it025_data.star"
    command = ["relion_star_handler", "--i", str(data), "--o", str(tmp_path / "copy.star")]
    subprocess.run(command, check=True, capture_output=True)
    assert len(starfile.read(tmp_path / "copy.star")["particles"]) == open_job(data.parent).total_particles


def graded(quality: list[float]) -> Truth:
    n = len(quality)
    none = np.zeros(n)
    return Truth(
        purity=none + 1, view_spread_degree=none, correlation=none, frc_resolution_angstrom=none,
        resolution_ratio=none, offset_angstrom=none, quality=np.array(quality), good=none > 1,
        borderline=none > 1, junk=("",) * n, junk_share=none, reason=np.zeros(n, np.int8),
        molecule=np.zeros(n, np.int64), molecules=("m",), view=np.zeros((n, 3)),
    )  # fmt: skip


def test_an_expert_without_error_labels_by_the_steps_of_quality() -> None:
    truth = graded([0.9, 0.6, 0.4, 0.2, 0.05])
    steady = {"error": 0.0, "slips": 0.0}
    rng = np.random.default_rng(0)
    assert label(truth, Habit(scale="binary", **steady), rng).values.tolist() == [1, 1, 0, 0, 0]
    assert label(truth, Habit(scale="grades", **steady), rng).values.tolist() == [1, 2, 3, 4, 5]
    assert label(truth, Habit(scale="colours", **steady), rng).values.tolist() == [1, 5, 2, 3, 0]
    # 0.6 - 0.16 is below the cut of 0.5.
    strict = Habit(scale="binary", strictness=0.16, **steady)
    assert label(truth, strict, rng).values.tolist() == [1, 0, 0, 0, 0]


def test_a_strict_expert_keeps_less_than_a_lenient_one() -> None:
    truth = graded(np.linspace(0, 1, 400).tolist())
    kept = [label(truth, habit, np.random.default_rng(1)).kept.sum() for habit in (HABITS[3], HABITS[4])]
    assert kept[0] < kept[1] - 80  # cuts of 0.66 and 0.34: about 136 and 264 of 400


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep me")
    with pytest.raises(OutputError):
        write_sites(tmp_path, 1, 1, seed=0)
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(InputError):
        write_sites(tmp_path / "new", 0, 1, seed=0)


def test_the_command_line_prints_the_folders_that_it_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["simulate", "sites", "--sites", "1", "--jobs", "1", "--workers", "1"]
    assert main([*arguments, "--out", str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'new' / 'site-1'}\n"
    assert main([*arguments, "--out", str(tmp_path / "new")]) == 1
    assert "not empty" in capsys.readouterr().err


def test_a_corpus_is_written_as_shards_that_training_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["simulate", "corpus", "--jobs", "1", "--seed", "9", "--workers", "1"]
    assert main([*arguments, "--out", str(tmp_path / "shards")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'shards'}\n"
    assert len(read_shards(tmp_path / "shards", 1, 9)) > 10
    nowhere = ["--out", str(tmp_path / "none"), "--structures", str(tmp_path / "missing")]
    assert main([*arguments, *nowhere]) == 1
    assert "no such folder" in capsys.readouterr().err


def test_sites_apart_share_no_kind_of_molecule_and_have_all_of_them() -> None:
    sites = [draw_site(i, 3) for i in (1, 2, 3)]
    kinds = [kind for site in apart(sites, 3) for kind in site.kinds]
    assert sorted(kinds) == sorted(KINDS)
    many = apart([draw_site(i, 3) for i in range(1, 21)], 3)
    assert all(len(site.kinds) == 1 for site in many)
