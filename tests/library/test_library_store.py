"""A site's labelled averages in one file."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.library import pictures, schema
from cryofed.library.labels import Labelling
from cryofed.library.store import Library
from cryofed.scoring.features import FEATURES, features
from cryofed.scoring.prepare import normalize, prepare_job

NOON = "2026-01-01T12:00:00+00:00"
LATER = "2026-01-02T12:00:00+00:00"


def job(seed: int = 0, n: int = 4, box: int = 100) -> ClassJob:
    rng = np.random.default_rng(seed)
    table = ClassTable(
        number=np.arange(1, n + 1),
        particles=np.arange(n) * 100,  # the first class is empty
        resolution_angstrom=np.linspace(8, 20, n),
        distribution=np.full(n, 1 / n),
        accuracy_rotation_degree=np.full(n, np.nan),
        accuracy_translation_angstrom=np.full(n, np.nan),
    )
    return ClassJob(
        program="relion",
        path=Path("Class2D/job002"),
        name="job002",
        averages=rng.normal(size=(n, box, box)).astype(np.float32),
        classes=table,
        pixel_size_angstrom=2.0,
        mask_diameter_angstrom=140.0,  # radius 35 px in a box of 100: 1.5 radii reach beyond it
    )


def said(
    *values: float, source: str = "Select/job003", made_at: str = NOON, review: bool = False
) -> Labelling:
    return Labelling(
        habit="binary", values=np.array(values, np.float32), source=source, made_at=made_at, review=review
    )


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "site.db", create=True)


def test_what_training_reads_is_what_scoring_would_see(library: Library) -> None:
    library.add(job(), "P1", [said(1, 1, 0, 1)])
    got = library.labelled(wide=False)
    np.testing.assert_array_equal(got.images, prepare_job(job()).astype(np.float16)[1:])  # class 1 is empty
    np.testing.assert_array_equal(got.features, features(job())[1:])
    assert got.target.tolist() == [1, 0, 1]
    assert got.good.tolist() == [True, False, True]


def test_wide_images_hold_the_prepared_ones_in_their_middle(library: Library) -> None:
    library.add(job(), "P1", [said(1, 1, 0, 1)])
    wide = library.labelled().images
    assert wide.shape == (3, 96, 96)
    # float16 keeps 11 bits: 0.004 for values up to 8, and as much again by normalizing
    np.testing.assert_allclose(
        normalize(wide[:, 16:80, 16:80].astype(np.float32)), prepare_job(job())[1:], atol=0.008
    )


def test_adding_the_same_job_twice_changes_nothing(library: Library) -> None:
    first = library.add(job(), "P1", [said(1, 1, 0, 1)])
    before = list(library.sql.iterdump())
    again = library.add(job(), "another project", [said(1, 1, 0, 1)])
    assert (first.new_job, again.new_job, again.new_labellings) == (True, False, 0)
    assert again.job_id == first.job_id
    assert list(library.sql.iterdump()) == before


def test_several_labels_are_kept_and_averaged(library: Library) -> None:
    job_id = library.add(job(), "P1", [said(1, 1, 1, 0)]).job_id
    assert library.label(job_id, said(1, 0, 1, 0, source="Select/job009", made_at=LATER))
    assert len(library.jobs(job_id)[0].labellings) == 2
    assert library.labelled().target.tolist() == [0.5, 1, 0]  # (1 + 0) / 2, (1 + 1) / 2, 0


def test_a_review_replaces_what_was_said_before_in_the_classes_it_speaks_of(library: Library) -> None:
    job_id = library.add(job(), "P1", [said(1, 1, 1, 0)]).job_id
    nan = float("nan")
    library.label(job_id, said(nan, 0, nan, 1, source="review", made_at=LATER, review=True))
    assert library.labelled().target.tolist() == [0, 1, 1]
    assert len(library.jobs(job_id)[0].labellings) == 2


def test_labels_of_another_length_are_refused_and_nothing_is_kept(library: Library) -> None:
    with pytest.raises(InputError, match="3 for 4 classes"):
        library.add(job(), "P1", [said(1, 0, 1)])
    assert library.jobs() == []


def test_what_is_held_out_never_trains_and_stays_so(library: Library) -> None:
    for seed in range(6):
        library.add(job(seed), f"P{seed}", [said(1, 1, 0, 1)])
    fate = {project.name: project.held_out for project in library.projects()}
    assert 0 < sum(fate.values()) < 6
    held, trained = library.labelled(True), library.labelled(False)
    assert len(held) == 3 * sum(fate.values())
    assert len(held) + len(trained) == len(library.labelled()) == 18
    for seed in range(6, 12):
        library.add(job(seed), f"P{seed}", [said(1, 1, 0, 1)])
    library.labelled(False)
    now = {project.name: project.held_out for project in library.projects()}
    assert {name: now[name] for name in fate} == fate


def test_the_same_pictures_are_held_out_wherever_their_project_lies(library: Library, tmp_path: Path) -> None:
    with Library(tmp_path / "moved.db", create=True) as moved:
        for seed in range(8):
            project = seed // 2
            library.add(job(seed), f"here/P{project}", [said(1, 1, 0, 1)])
            moved.add(job(7 - seed), f"elsewhere/{3 - project}", [said(1, 1, 0, 1)])
        # Pictures of job 7 - seed: what was project p here is number p there, in another order.
        shown = [project.held_out for project in library.projects()]
        assert [project.held_out for project in moved.projects()] == shown
        for each in (library, moved):
            each.labelled(False)
            assert [project.held_out for project in each.projects()] == shown


def test_jobs_and_projects_are_numbered_within_what_was_read(library: Library) -> None:
    library.add(job(0), "B", [said(1, 1, 0, 1)])
    library.add(job(1), "A", [said(1, 1, 0, 1)])
    library.add(job(2), "A", [said(1, 1, 0, 1)])
    library.add(job(3), "C")  # nobody said anything of it
    got = library.labelled()
    assert got.job.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert got.project.tolist() == [1] * 3 + [0] * 6


def test_an_empty_library_reads_as_no_averages(library: Library) -> None:
    assert len(library.labelled(False)) == 0
    assert library.projects() == []


def test_pictures_of_an_older_preparation_are_prepared_again(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cryofed.library.rows.PREPARATION", "of old")
    job_id = library.add(job(), "P1", [said(1, 1, 0, 1)]).job_id
    library.sql.execute(
        "UPDATE jobs SET images = zeroblob(length(images)), features = zeroblob(length(features))"
    )
    got = library.labelled(wide=False)
    # Kept as float16 twice: half a unit in the last place of values up to 8 is 0.004.
    np.testing.assert_allclose(got.images, prepare_job(job())[1:], atol=0.008)
    expected = features(job())[1:]
    expected[:, FEATURES.index("contrast_in_job")] = np.nan  # what is kept has one deviation
    np.testing.assert_array_equal(got.features, expected)
    assert library.sql.execute("SELECT preparation FROM jobs").fetchone() == (pictures.PREPARATION,)
    assert library.images(job_id).any()


def test_a_thumbnail_is_a_png_of_the_class_asked_for(library: Library) -> None:
    job_id = library.add(job(), "P1").job_id
    assert library.thumbnail(job_id, 2).startswith(b"\x89PNG")
    assert library.thumbnail(job_id, 2) != library.thumbnail(job_id, 3)


def test_a_missing_file_another_file_and_a_later_version_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Library(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("not a library, but long enough to have a header" * 4)
    with pytest.raises(InputError, match="not a database"):
        Library(tmp_path / "text.db")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE mine (x)")
    other.close()
    with pytest.raises(InputError, match="another program"):
        Library(tmp_path / "other.db", create=True)
    Library(tmp_path / "new.db", create=True).close()
    late = sqlite3.connect(tmp_path / "new.db")
    late.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    late.close()
    with pytest.raises(InputError, match="update CryoFed"):
        Library(tmp_path / "new.db")


def test_each_step_of_the_schema_is_taken_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Library(tmp_path / "site.db", create=True) as library:
        library.add(job(), "P1", [said(1, 1, 0, 1)])
    monkeypatch.setattr(
        schema, "STEPS", (*schema.STEPS, "ALTER TABLE jobs ADD COLUMN note TEXT DEFAULT 'new'")
    )
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    monkeypatch.setattr(schema.migrate, "__defaults__", (schema.VERSION,))
    for _ in range(2):
        with Library(tmp_path / "site.db") as library:
            assert library.sql.execute("SELECT note FROM jobs").fetchall() == [("new",)]
            assert len(library.labelled()) == 3


def test_nobody_else_may_read_a_new_library_and_rights_that_were_given_stay(tmp_path: Path) -> None:
    path = tmp_path / "site.db"
    with Library(path, create=True) as library:
        library.add(job(), "project")
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {
            0o600
        }  # its log and index, too
    path.chmod(0o640)
    with Library(path, create=True):
        assert path.stat().st_mode & 0o777 == 0o640
