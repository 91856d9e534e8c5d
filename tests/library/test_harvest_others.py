"""Past selections of CryoSPARC projects and of EMPIAR-10812; nothing is written anywhere."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from cryofed.library.harvest import walk
from cryofed.library.harvest.importing import SKIPPED, USED, harvest
from cryofed.library.store import Library


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "site.db", create=True)


@pytest.mark.parametrize("version", [4, 5])
def test_a_select_2d_job_becomes_labels(cryosparc_project, library, version) -> None:
    project = cryosparc_project("P7", version)
    project.class2d(11)
    project.select(12, 11, kept=[3, 1], rejected=[0, 2, 4])
    (outcome,) = harvest(walk.find([project.folder]), library)
    assert (outcome.what, outcome.classes, outcome.kept) == (USED, 4, 2)  # class 0 has no particles
    (job,) = library.jobs()
    assert (job.program, job.name) == ("cryosparc", "J11")
    np.testing.assert_array_equal(job.labellings[0].values, [np.nan, 1, 0, 1, 0])


@pytest.mark.parametrize("version", [4, 5])
def test_the_parent_is_found_when_the_written_path_leads_nowhere(cryosparc_project, library, version) -> None:
    project = cryosparc_project("P7", version)
    project.class2d(11)
    folder = project.select(12, 11, kept=[1], rejected=[2, 3, 4])
    rows = np.load(folder / "templates_selected.cs")
    rows["blob/path"] = b"J99/J99_020_class_averages.mrc"
    with (folder / "templates_selected.cs").open("wb") as file:
        np.save(file, rows)
    (outcome,) = harvest(walk.find([project.folder]), library)
    assert outcome.what == USED


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "reference_select_2D"}, "3D reference"),
        ({"title": "CryoFed selection"}, "CryoFed chose"),
        ({"created_by_job_uid": "J3"}, "another job"),
        ({"status": "killed"}, "killed"),
    ],
)
def test_what_no_person_chose_is_skipped(cryosparc_project, fields, reason) -> None:
    project = cryosparc_project("P7", 5)
    project.class2d(11)
    project.select(12, 11, kept=[1], rejected=[2, 3, 4], **fields)
    (outcome,) = harvest(walk.find([project.folder]), None)
    assert outcome.what == SKIPPED
    assert reason in outcome.reason


def test_broken_cryosparc_jobs_are_skipped_with_a_reason(cryosparc_project) -> None:
    project = cryosparc_project("P7", 4)
    project.class2d(11)
    for number in (12, 13, 14, 15):
        project.select(number, 11, kept=[1], rejected=[2, 3, 4])
    (project.folder / "J12/job.json").write_text("{")
    (project.folder / "J13/templates_selected.cs").unlink()
    (project.folder / "J14/templates_excluded.cs").write_bytes(b"\x93NUMPY broken")
    reasons = [o.reason for o in harvest(walk.find([project.folder]), None) if o.what == SKIPPED]
    assert len(reasons) == 3
    assert "nothing was saved" in reasons[1]


def test_empiar_10812_keeps_the_job_score(empiar_job, library, tmp_path) -> None:
    empiar_job("a1b2c3d4e5f6", [6, 1, 5, 0, 2], "0.8")
    (outcome,) = harvest(walk.find([tmp_path / "data"]), library)
    assert (outcome.what, outcome.classes, outcome.kept) == (USED, 4, 2)
    # class n has 10 + n Å, the best red class is class 2
    expected = [0.8, 0.8 * (0.5 + 0.25 * (12 / 13) ** 2), 0, 0.8 * (0.25 + 0.25 * (12 / 15) ** 2)]
    np.testing.assert_allclose(library.labelled().target, expected, rtol=1e-6)


def test_empiar_folders_of_one_pixel_size_are_one_project(empiar_job, library, tmp_path) -> None:
    empiar_job("aaaaaaaaaaaa", [0, 1, 0, 0, 0], "1", seed=1)
    empiar_job("bbbbbbbbbbbb", [0, 1, 1, 0, 0], "1", seed=2)
    empiar_job("cccccccccccc", [0, 1, 1, 0, 0], "good", seed=3)
    outcomes = list(harvest(walk.find([tmp_path / "data"]), library))
    assert [o.what for o in outcomes] == [USED, USED, SKIPPED]
    assert "'good'" in outcomes[2].reason
    assert [(p.name.rpartition("/")[2], p.jobs) for p in library.projects()] == [
        ("10812 at 3.000 Å a pixel", 2)
    ]


def test_nothing_in_the_projects_is_written(relion_project, cryosparc_project, empiar_job, tmp_path) -> None:
    project = relion_project("apo")
    project.select(4, project.class2d(2), colours=[0, 1, 1, 0, 0])
    other = cryosparc_project("P7", 4)
    other.class2d(11, seed=5)
    other.select(12, 11, kept=[1], rejected=[2, 3, 4])
    empiar_job("a1b2c3d4e5f6", [6, 1, 5, 0, 2], "0.8", seed=6)
    tree = tmp_path / "data"

    def state() -> list[tuple[Path, int, str]]:
        digest = [(p, hashlib.sha256(p.read_bytes()).hexdigest()) for p in tree.rglob("*") if p.is_file()]
        files = [(p, p.stat().st_mtime_ns, d) for p, d in digest]
        return sorted(files + [(p, p.stat().st_mtime_ns, "") for p in tree.rglob("*") if p.is_dir()])

    everything = [*tree.rglob("*"), tree]
    before = state()
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with Library(tmp_path / "site.db", create=True) as library:
        outcomes = list(harvest(walk.find([tree]), library))
    for path in everything:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert [o.what for o in outcomes] == [USED] * 3
    assert state() == before
