"""Past selections of a RELION project."""

from pathlib import Path

import numpy as np
import pytest

from cryofed.library.harvest import walk
from cryofed.library.harvest.importing import KNOWN, SKIPPED, USED, Outcome, harvest
from cryofed.library.harvest.past import Passed, PastSelection
from cryofed.library.store import Library


def outcomes(folder: Path, library: Library | None = None) -> list[Outcome]:
    return list(harvest(walk.find([folder]), library))


def only(folder: Path) -> Outcome:
    (outcome,) = outcomes(folder)
    return outcome


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "site.db", create=True)


def test_an_interactive_selection_becomes_labels(relion_project, library) -> None:
    project = relion_project("apo")
    project.select(4, project.class2d(2), colours=[0, 1, 1, 0, 0])
    (outcome,) = outcomes(project.folder, library)
    assert (outcome.what, outcome.classes, outcome.kept) == (USED, 4, 2)  # class 1 has no particles
    (job,) = library.jobs()
    assert (job.program, job.name, job.project) == ("relion", "Class2D/job002", str(project.folder))
    assert job.mask_diameter_angstrom == 70
    (said,) = job.labellings
    assert said.habit == "binary"
    assert said.source == str(project.folder / "Select/job004")
    np.testing.assert_array_equal(said.values, [np.nan, 1, 1, 0, 0])
    assert library.labelled().good.tolist() == [True, True, False, False]


def test_colours_are_kept_as_colours(relion_project, library) -> None:
    project = relion_project("apo")
    project.select(4, project.class2d(2), colours=[0, 1, 5, 2, 6])
    (outcome,) = outcomes(project.folder, library)
    assert (outcome.classes, outcome.kept) == (4, 2)  # red and magenta
    (job,) = library.jobs()
    assert job.labellings[0].habit == "relion-colour"
    # class n has 10 + n Å, the best red class is class 2: (b + 0.25 × (12 / res)²); yellow is 0
    expected = [1.0, 0.5 + 0.25 * (12 / 13) ** 2, 0.25 + 0.25 * (12 / 14) ** 2, 0]
    np.testing.assert_allclose(library.labelled().target, expected, rtol=1e-6)


def test_a_score_of_the_job_scales_its_colours(relion_project, library) -> None:
    project = relion_project("apo")
    folder = project.select(4, project.class2d(2), colours=[0, 1, 2, 0, 6])
    (folder / "job_score.txt").write_text("0.6\n")
    outcomes(project.folder, library)
    expected = [0.6, 0.6 * (0.25 + 0.25 * (12 / 13) ** 2), 0, 0]
    np.testing.assert_allclose(library.labelled().target, expected, rtol=1e-6)


def test_grades_beside_a_selection_say_more_than_it(relion_project, library) -> None:
    project = relion_project("apo")
    folder = project.select(4, project.class2d(2), colours=[0, 1, 1, 0, 0])
    (folder / "grades.tsv").write_text("class_number\tgrade\n2\t1\n3\t3\n4\t4\n5\t5\n")
    outcomes(project.folder, library)
    assert library.jobs()[0].labellings[0].habit == "grade"
    # (5 - grade) × 0.2 + 0.2 × (12 / res)²
    expected = [1, 0.4 + 0.2 * (12 / 13) ** 2, 0.2 + 0.2 * (12 / 14) ** 2, 0]
    np.testing.assert_allclose(library.labelled().target, expected, rtol=1e-6)


def test_without_a_backup_the_saved_averages_tell_what_was_kept(relion_project, library) -> None:
    project = relion_project("apo")
    model = project.class2d(2)
    stack = "Class2D/job002/run_it025_classes.mrcs"
    project.select(4, model, averages=[f"000003@{stack}", f"000005@{stack}"])
    (outcome,) = outcomes(project.folder, library)
    assert (outcome.classes, outcome.kept) == (4, 2)
    assert library.labelled().target.tolist() == [0, 1, 0, 1]


def test_the_class_ranker_is_no_expert(relion_project) -> None:
    project = relion_project("apo")
    project.select(4, project.class2d(2), colours=[0, 1, 1, 0, 0], label="relion.select.class2dauto")
    outcome = only(project.folder)
    assert outcome.what == SKIPPED
    assert "class ranker" in outcome.reason


def test_the_class_ranker_is_told_by_its_option_whatever_the_label_says(relion_project) -> None:
    project = relion_project("apo")
    model = project.class2d(2)
    options = {"do_class_ranker": "Yes"}
    project.select(4, model, colours=[0, 1, 1, 0, 0], label="relion.select.onvalue", options=options)
    assert "class ranker" in only(project.folder).reason


@pytest.mark.parametrize(
    ("label", "options"),
    [
        ("relion.select.split", {"do_split": "Yes"}),
        ("relion.select.onvalue", {"do_select_values": "Yes"}),
        ("relion.select.removeduplicates", {"do_remove_duplicates": "Yes"}),
        ("relion.select.interactive", {"fn_mic": "CtfFind/job003/micrographs_ctf.star"}),
    ],
)
def test_a_subset_selection_judged_no_class(relion_project, label, options) -> None:
    project = relion_project("apo")
    project.select(4, "", colours=[1, 0], label=label, options=options)
    outcome = only(project.folder)
    assert outcome.what == SKIPPED
    assert "no class was judged" in outcome.reason


def test_an_expert_who_started_from_the_rankers_proposal_is_an_expert(relion_project, library) -> None:
    project = relion_project("apo")
    model = project.class2d(2)
    ranked = project.select(4, model, colours=[0, 1, 1, 1, 0], label="relion.select.class2dauto")
    classes = (project.folder / model).with_name("run_it025_model.star").read_text()
    (ranked / "rank_model.star").write_text(classes[classes.index("data_model_classes") :])
    project.select(5, "Select/job004/rank_optimiser.star", colours=[0, 1, 1, 0, 0])
    first, second = outcomes(project.folder, library)
    assert (first.what, second.what) == (SKIPPED, USED)
    assert library.jobs()[0].name == "Class2D/job002"


def test_a_project_of_relion_3_0_has_no_job_star(relion_project, library) -> None:
    project = relion_project("apo")
    project.class2d(2)
    stack = "Class2D/job002/run_it025_classes.mrcs"
    folder = project.select(4, "", colours=[0, 1, 0, 0, 0], averages=[f"000002@{stack}"])
    (folder / "job.star").unlink()
    assert [o.what for o in outcomes(project.folder, library)] == [USED]
    (folder / "rank_optimiser.star").touch()
    assert "class ranker" in only(project.folder).reason


def test_without_job_star_the_pipeline_tells_the_class_ranker(relion_project) -> None:
    project = relion_project("apo")
    folder = project.select(4, project.class2d(2), colours=[0, 1, 1, 0, 0])
    (folder / "job.star").unlink()
    (project.folder / "default_pipeline.star").write_text(
        "data_pipeline_processes\nloop_\n_rlnPipeLineProcessName #1\n_rlnPipeLineProcessTypeLabel #2\n"
        "Select/job004/ relion.select.class2dauto\n"
    )
    assert "class ranker" in only(project.folder).reason


def test_two_selections_of_one_classification_are_two_labels_of_one_job(relion_project, library) -> None:
    project = relion_project("apo")
    model = project.class2d(2)
    project.select(4, model, colours=[0, 1, 1, 0, 0])
    project.select(5, model, colours=[0, 1, 0, 0, 0])
    assert [o.what for o in outcomes(project.folder, library)] == [USED, USED]
    (job,) = library.jobs()
    assert len(job.labellings) == 2
    assert library.labelled().target.tolist() == [1, 0.5, 0, 0]


def test_harvesting_again_changes_nothing(relion_project, library) -> None:
    project = relion_project("apo")
    project.select(4, project.class2d(2), colours=[0, 1, 1, 0, 0])
    outcomes(project.folder, library)
    before = list(library.sql.iterdump())
    assert [o.what for o in outcomes(project.folder, library)] == [KNOWN]
    assert list(library.sql.iterdump()) == before


def test_a_project_that_was_moved_is_the_project_that_it_was(relion_project, library) -> None:
    project = relion_project("old")
    project.select(4, project.class2d(2), colours=[0, 1, 1, 0, 0])
    other = relion_project("another")
    other.select(4, other.class2d(2, seed=7), colours=[0, 1, 1, 0, 0])
    outcomes(project.folder.parent, library)
    library.labelled()  # decides which of the two is held out
    before = {p.name: p.held_out for p in library.projects()}
    moved = project.folder.with_name("moved")
    project.folder.rename(moved)
    project.folder = moved
    project.select(6, project.class2d(5, seed=8), colours=[0, 1, 0, 0, 1])
    project.select(3, project.class2d(1, seed=9), colours=[0, 0, 0, 0, 1])
    whats = [o.what for o in outcomes(moved, library)]
    assert whats == [USED, KNOWN, USED]
    assert {p.name: p.held_out for p in library.projects()} == before
    assert sorted(p.jobs for p in library.projects()) == [1, 3]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda p: (p / "Class2D/job002/run_it025_classes.mrcs").write_bytes(b"short"), "classes.mrcs"),
        (lambda p: (p / "Class2D/job002/run_it025_model.star").write_text("data_nothing\n"), "model"),
        (lambda p: (p / "Class2D/job002/run_it025_optimiser.star").unlink(), "gone"),
        (
            lambda p: (p / "Select/job004/backup_selection.star").write_text("data_\n_rlnOther 1\n"),
            "rlnSelected",
        ),
        (lambda p: (p / "Select/job004/backup_selection.star").unlink(), "nothing was saved"),
        (lambda p: (p / "Select/job004/job.star").write_text("\x00\x01"), "joboptions"),
    ],
)
def test_a_broken_job_is_skipped_with_a_reason_and_the_others_go_on(
    relion_project, library, damage, reason
) -> None:
    project = relion_project("apo")
    project.select(4, project.class2d(2), colours=[0, 1, 1, 0, 0])
    project.select(8, project.class2d(6, seed=1), colours=[0, 1, 0, 1, 0])
    damage(project.folder)
    first, second = outcomes(project.folder, library)
    assert first.what == SKIPPED
    assert reason in first.reason
    assert second.what == USED


def test_a_selection_of_3d_classes_is_skipped(relion_project) -> None:
    project = relion_project("apo")
    model = project.class2d(2)
    file = (project.folder / model).with_name("run_it025_model.star")
    file.write_text(
        file.read_text().replace("_rlnReferenceDimensionality 2", "_rlnReferenceDimensionality 3")
    )
    project.select(4, model, colours=[0, 1, 1, 0, 0])
    outcome = only(project.folder)
    assert outcome.what == SKIPPED
    assert "not a 3D one" in outcome.reason


@pytest.mark.parametrize(
    ("colours", "reason"),
    [
        ([0, 1, 1, 1, 1], "every class is kept"),
        ([0, 0, 0, 0, 0], "no class is kept"),
        ([0, 1, 1, 0, 0, 0, 1], "do not belong together"),
    ],
)
def test_a_selection_that_judges_nothing_is_skipped(relion_project, colours, reason) -> None:
    project = relion_project("apo")
    project.select(4, project.class2d(2), colours=colours)
    outcome = only(project.folder)
    assert outcome.what == SKIPPED
    assert reason in outcome.reason


def test_projects_are_found_below_a_folder_and_links_are_not_followed(relion_project, tmp_path) -> None:
    project = relion_project("user/apo")
    project.select(4, project.class2d(2), colours=[0, 1, 1, 0, 0])
    (project.folder / "Select" / "mine").symlink_to("job004")  # RELION's alias of a job
    (tmp_path / "data" / "link").symlink_to(project.folder)
    (found,) = walk.find([tmp_path])
    assert isinstance(found, PastSelection)


def test_a_folder_that_cannot_be_read_is_named(relion_project, tmp_path, monkeypatch) -> None:
    project = relion_project("apo")
    project.select(4, project.class2d(2), colours=[0, 1, 1, 0, 0])
    (tmp_path / "data" / "closed").mkdir()
    import os

    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = list(walk.find([tmp_path / "data"]))
    assert [type(one) for one in found] == [PastSelection, Passed]
    assert "Permission denied" in found[1].reason
