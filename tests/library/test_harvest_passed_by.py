"""What a harvest passes by, and what it reads all the same."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryofed.errors import InputError
from cryofed.library.harvest import relion, walk
from cryofed.library.harvest.importing import Outcome, harvest

Make = Callable[[str], Any]  # conftest's relion_project


def outcomes(*paths: Path) -> dict[str, Outcome]:
    return {one.source.name: one for one in harvest(walk.find(paths), None, keep=False)}


def test_a_selection_of_3d_classes_is_passed_by_and_the_next_project_read(relion_project: Make) -> None:
    bad, good = relion_project("a"), relion_project("b")
    bad.select(
        3, "Class3D/job002/run_it025_optimiser.star", averages=["Class3D/job002/run_it025_class001.mrc"]
    )
    good.select(4, good.class2d(2), colours=[1, 1, 0, 0, 0])
    found = outcomes(bad.folder.parent)
    assert "which is no image of a stack" in found["job003"].reason
    assert found["job004"].what == "used"


def test_a_project_that_breaks_the_reader_is_passed_by(
    relion_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = relion_project("a"), relion_project("b")
    good.select(4, good.class2d(2), colours=[1, 1, 0, 0, 0])
    find = relion.find

    def broken(project: Path) -> Any:
        if project == bad.folder:
            raise ZeroDivisionError("what nobody foresaw")
        return find(project)

    monkeypatch.setattr(relion, "find", broken)
    found = outcomes(bad.folder.parent)
    assert found["a"].reason == "cannot be read (ZeroDivisionError: what nobody foresaw)"
    assert found["job004"].what == "used"


def test_a_selection_of_too_few_labels_is_passed_by(relion_project: Make) -> None:
    project = relion_project("a")
    project.select(3, project.class2d(2, n=5), colours=[1, 0, 1])
    assert "3 labels for 5 classes" in outcomes(project.folder)["job003"].reason


def test_the_run_job_of_relion_3_0_names_the_model_of_recentred_averages(relion_project: Make) -> None:
    project = relion_project("a")
    model = project.class2d(2)
    averages = [f"{i:06d}@Select/job003/class_averages.mrcs" for i in (1, 2)]
    folder = project.select(3, model, colours=[1, 1, 0, 0, 0], averages=averages)
    (folder / "job.star").unlink()
    shutil.copy(
        project.folder / model.replace("optimiser.star", "classes.mrcs"), folder / "class_averages.mrcs"
    )
    (folder / "run.job").write_text(
        f"job_type == 7\nOR: split into subsets? == No\nSelect classes from model.star: == {model}\n"
    )
    found = outcomes(project.folder)["job003"]
    assert (found.what, found.classes, found.kept) == ("used", 4, 1)  # class 1 has no particles
    text = (folder / "run.job").read_text()
    (folder / "run.job").write_text(text.replace("subsets? == No", "subsets? == Yes"))
    assert "no class was judged" in outcomes(project.folder)["job003"].reason


def test_linked_jobs_are_read_once(relion_project: Make, tmp_path: Path) -> None:
    project = relion_project("a")
    project.select(3, project.class2d(2), colours=[1, 1, 0, 0, 0])
    disk = tmp_path / "disk2"
    disk.mkdir()
    for kind, job in (("Class2D", "job002"), ("Select", "job003")):
        shutil.move(project.folder / kind / job, disk / job)
        (project.folder / kind / job).symlink_to(disk / job)
    (project.folder / "Select/good_classes").symlink_to("job003")  # an alias, as RELION makes it
    (project.folder / "Select/round").symlink_to("..")
    (tmp_path / "data/again").symlink_to(project.folder)
    found = list(harvest(walk.find([tmp_path / "data", project.folder]), None, keep=False))
    assert [(one.source.name, one.what) for one in found if "job" in one.source.name] == [("job003", "used")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_listed(relion_project: Make) -> None:
    project = relion_project("a")
    (project.folder / "Select").mkdir()
    (project.folder / "Select").chmod(0)
    found = outcomes(project.folder)
    (project.folder / "Select").chmod(0o755)
    assert "Permission denied" in next(iter(found.values())).reason


@pytest.mark.parametrize("label", ["nan", "0.5", "1e300", "yes"])
def test_a_label_that_is_no_colour_is_passed_by(relion_project: Make, label: str) -> None:
    project = relion_project("a")
    project.select(3, project.class2d(2, n=3), colours=[1, 0, label])
    assert f"'{label}' of class 3; give 0, 1 or a colour up to 6" in outcomes(project.folder)["job003"].reason


@pytest.mark.parametrize("name", ["grades.tsv", "job_score.txt", "job.star"])
def test_a_damaged_file_of_a_selection_is_one_line(relion_project: Make, name: str) -> None:
    project = relion_project("a")
    folder = project.select(3, project.class2d(2, n=3), colours=[1, 0, 1])
    (folder / name).write_bytes(b"\xff\xfe\0\n\xff 1\n")
    with pytest.raises(InputError, match=name):  # what --learn-from reads
        relion.read(folder)
