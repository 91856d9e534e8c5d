"""A job on disk becomes a gallery; a decision becomes selection files and labels."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import starfile

from cryofed.errors import InputError
from cryofed.jobs.opening import open_job
from cryofed.library.harvest import walk
from cryofed.library.harvest.importing import harvest
from cryofed.library.reading import meaning
from cryofed.library.store import Library
from cryofed.scoring.reasons import REASONS
from cryofed.selection.writer import free_folder
from cryofed.web.review.gallery import Gallery
from cryofed.web.review.of_job import open_review
from cryofed.web.review.of_library import open_library_review
from cryofed.web.review.routes import Decision, Saving


def opened(job: Path, **changes: Any) -> tuple[Gallery, Saving]:
    settings: dict[str, Any] = {"out": None, "library": None, "model": None, "say": lambda _: None}
    return open_review(open_job(job), **settings | changes)


def decision(gallery: Gallery, **changes: Any) -> Decision:
    n = len(gallery)
    untouched: dict[str, Any] = {
        "kept": gallery.start.copy(),
        "by_hand": np.zeros(n, bool),
        "reason": np.full(n, -1),
        "threshold": gallery.threshold,
        "labels": "none",
    }
    return Decision(**untouched | changes)


def fingerprint(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_gallery_is_the_job_with_its_scores_and_the_experts_selection(relion_job: Path) -> None:
    gallery, _ = opened(relion_job)
    job = open_job(relion_job)
    assert gallery.title == "Class2D/job010"
    assert gallery.particles.tolist() == job.classes.particles.tolist()
    backup = starfile.read(relion_job.parents[1] / "Select/job011/backup_selection.star")
    expert = backup["rlnSelected"].to_numpy().clip(0, 1).astype(float)
    has_particles = gallery.particles > 0
    assert gallery.label[has_particles].tolist() == expert[has_particles].tolist()
    start = np.where([p != "" for p in gallery.pinned], gallery.start, gallery.score >= gallery.threshold)
    assert start.tolist() == gallery.start.tolist()  # what the page works out is what the policy decided


def test_saving_writes_what_was_decided_and_touches_nothing_of_the_project(relion_job: Path) -> None:
    before = fingerprint(relion_job.parents[1])
    gallery, saving = opened(relion_job)
    kept = np.zeros(len(gallery), bool)
    kept[[1, 4]] = True
    lines = saving.save(decision(gallery, kept=kept, by_hand=np.ones(len(kept), bool)))
    out = relion_job.with_name("job010_reviewed")
    assert str(out / "class_averages.star") in lines
    averages = starfile.read(out / "class_averages.star")
    assert [int(name.split("@")[0]) for name in averages["rlnReferenceImage"]] == [2, 5]
    backup = starfile.read(out / "backup_selection.star")
    assert backup["rlnSelected"].tolist() == kept.astype(int).tolist()
    particles = starfile.read(out / "particles.star")["particles"]
    assert len(particles) == gallery.particles[[1, 4]].sum()
    assert {k: v for k, v in fingerprint(relion_job.parents[1]).items() if "reviewed" not in k} == before


def test_saving_again_leaves_the_first_selection_alone(relion_job: Path) -> None:
    gallery, saving = opened(relion_job)
    saving.save(decision(gallery))
    first = fingerprint(relion_job.with_name("job010_reviewed"))
    saving.save(decision(gallery, kept=~gallery.start))
    assert fingerprint(relion_job.with_name("job010_reviewed")) == first
    assert relion_job.with_name("job010_reviewed_2").is_dir()
    assert free_folder(relion_job.with_name("job010_reviewed")).name == "job010_reviewed_3"


def test_cryosparc_jobs_are_saved_as_datasets(cryosparc_job: Path) -> None:
    gallery, saving = opened(cryosparc_job)
    kept = np.zeros(len(gallery), bool)
    kept[0] = True
    saving.save(decision(gallery, kept=kept))
    selected = np.load(cryosparc_job.with_name("J10_reviewed") / "particles_selected.cs")
    assert set(selected["alignments2D/class"].tolist()) == {int(gallery.number[0]) - 1}
    assert len(selected) == gallery.particles[0]


@pytest.mark.parametrize(("labels", "expected"), [("hand", [0, 3]), ("all", None)])
def test_labels_are_what_was_set_by_hand_or_all_and_say_who(
    relion_job: Path, tmp_path: Path, labels: str, expected: list[int] | None
) -> None:
    library = tmp_path / "site.db"
    gallery, saving = opened(relion_job, library=library)
    kept, by_hand = gallery.start.copy(), np.zeros(len(gallery), bool)
    by_hand[[0, 3]] = True
    kept[[0, 3]] = [True, False]
    reason = np.full(len(kept), -1)
    reason[3] = REASONS.index("contamination or ice")
    saving.save(decision(gallery, kept=kept, by_hand=by_hand, reason=reason, labels=labels))
    with Library(library) as opened_library:
        (job,) = opened_library.jobs()
    (said,) = job.labellings
    assert said.review
    assert said.source.startswith("review by ")
    assert np.flatnonzero(np.isfinite(said.values)).tolist() == (expected or list(range(len(kept))))
    assert [said.values[0], said.values[3]] == [1, 0]
    assert said.reasons is not None
    assert REASONS[said.reasons[3]] == "contamination or ice"


def test_grades_are_labels_of_their_own_scale_and_relions_groups_are_written(
    relion_job: Path, tmp_path: Path
) -> None:
    gallery, saving = opened(relion_job, library=tmp_path / "site.db")
    n = len(gallery)
    kept, by_hand, grade = np.zeros(n, bool), np.zeros(n, bool), np.zeros(n, np.int64)
    kept[[0, 1, 2]], by_hand[[0, 1, 3]], grade[[0, 1]] = True, True, [5, 2]  # magenta, green
    saving.save(
        decision(gallery, kept=kept, by_hand=by_hand, grade=grade, scale="relion-colour", labels="hand")
    )
    with Library(tmp_path / "site.db") as library:
        (job,) = library.jobs()
    said = {one.habit: one for one in job.labellings}
    assert set(said) == {"binary", "relion-colour"}
    assert np.flatnonzero(np.isfinite(said["relion-colour"].values)).tolist() == [0, 1]
    assert said["relion-colour"].values[:2].tolist() == [5, 2]
    assert np.flatnonzero(np.isfinite(said["binary"].values)).tolist() == [3]
    backup = starfile.read(relion_job.with_name("job010_reviewed") / "backup_selection.star")
    # class 3 is kept without a grade: RELION's own first group
    assert backup["rlnSelected"].tolist() == [5, 2, 1] + [0] * (n - 3)


def test_a_class_outside_of_a_limit_says_so_in_the_report(relion_job: Path) -> None:
    gallery, saving = opened(relion_job)
    fewest = float(np.median(gallery.particles))
    kept = gallery.start & (gallery.particles >= fewest)
    saving.save(decision(gallery, kept=kept, fewest=fewest))
    page = (relion_job.with_name("job010_reviewed") / "report.html").read_text()
    assert page.count(f"fewer than {fewest:g} particles</em>") == int((gallery.particles < fewest).sum())
    assert "(by hand)" in page


def test_an_earlier_selection_that_is_named_is_the_one_to_load(relion_job: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.tsv").write_text("class_number\tlabel\n2\t1\n3\t0\n")
    gallery, _ = opened(relion_job, earlier=tmp_path / "mine.tsv")
    assert gallery.label[1:3].tolist() == [1, 0]
    assert np.isfinite(gallery.label).sum() == 2
    with pytest.raises(InputError, match="--earlier: no such file or folder"):
        opened(relion_job, earlier=tmp_path / "nowhere")


def test_without_the_opt_in_no_library_is_made(relion_job: Path, tmp_path: Path) -> None:
    gallery, saving = opened(relion_job, library=tmp_path / "site.db")
    saving.save(decision(gallery))
    assert not (tmp_path / "site.db").exists()


def test_review_and_harvest_agree_on_the_project_and_the_review_has_the_last_word(
    relion_job: Path, tmp_path: Path
) -> None:
    path = tmp_path / "site.db"
    with Library(path, create=True) as library:
        list(harvest(walk.find([relion_job.parents[1]]), library))
    gallery, saving = opened(relion_job, library=path)
    judged = int(np.flatnonzero(np.isfinite(gallery.label))[0])
    kept = gallery.start.copy()
    kept[judged] = gallery.label[judged] == 0  # the opposite of what the expert said
    by_hand = np.arange(len(kept)) == judged
    saving.save(decision(gallery, kept=kept, by_hand=by_hand, labels="hand"))
    with Library(path) as library:
        assert len(library.projects()) == 1
        (job,) = [j for j in library.jobs() if j.name == "Class2D/job010"]
    assert len(job.labellings) == 2
    assert bool(meaning(job)[2][judged]) is bool(kept[judged])


def test_a_library_shows_first_where_model_and_labels_differ_and_takes_corrections(
    relion_job: Path, tmp_path: Path
) -> None:
    path = tmp_path / "site.db"
    with Library(path, create=True) as library:
        list(harvest(walk.find([relion_job.parents[1]]), library))
    gallery, saving = open_library_review(path, limit=7, model=None, say=lambda _: None)
    assert len(gallery) == 7
    everything, _ = open_library_review(path, limit=10**6, model=None, say=lambda _: None)
    gap = np.abs(gallery.label - gallery.score)
    largest = np.sort(np.abs(everything.label - everything.score))[::-1]
    assert np.sort(gap)[::-1].tolist() == pytest.approx(largest[:7].tolist())
    kept = gallery.label == 0
    lines = saving.save(decision(gallery, kept=kept, by_hand=np.arange(7) == 2, labels="hand"))
    assert lines == [f"1 labels in {path}"]
    again, _ = open_library_review(path, limit=10**6, model=None, say=lambda _: None)
    before = dict(zip(everything.source, everything.label.tolist(), strict=True))
    changed = [s for s, v in zip(again.source, again.label.tolist(), strict=True) if before[s] != v]
    assert changed == [gallery.source[2]]


def test_a_save_holds_the_decisions_and_the_scores_that_they_taught(relion_job: Path, tmp_path: Path) -> None:
    from cryofed.library.lessons import read_selection
    from cryofed.selection.decisions import FILE

    gallery, saving = opened(relion_job, out=tmp_path / "reviewed")
    teachable = gallery.teachable
    assert teachable is not None
    scored = np.flatnonzero(np.isfinite(gallery.score))
    best, worst = int(scored[np.argmax(gallery.score[scored])]), int(scored[np.argmin(gallery.score[scored])])
    by_hand, kept = np.zeros(len(gallery), bool), gallery.start.copy()
    by_hand[[best, worst]] = True
    kept[[best, worst]] = False, True  # against the model, both
    saving.save(decision(gallery, kept=kept, by_hand=by_hand, learning=True))
    expected = teachable.taught({best: False, worst: True})
    model = starfile.read(tmp_path / "reviewed" / "rank_model.star")
    written = model["rlnClassScore"].to_numpy()[scored]
    np.testing.assert_allclose(written, expected[scored], atol=1e-4)
    assert "learnt from 1 good and 1 bad decisions by hand" in (tmp_path / "reviewed/report.html").read_text()
    said = read_selection(tmp_path / "reviewed")
    assert said.kept == {int(gallery.number[best]): False, int(gallery.number[worst]): True}
    assert said.job is not None
    assert said.job.resolve() == relion_job.resolve()
    saving.save(decision(gallery, kept=kept, by_hand=by_hand, learning=False))  # the model as it came
    model = starfile.read(tmp_path / "reviewed_2" / "rank_model.star")
    np.testing.assert_allclose(model["rlnClassScore"].to_numpy()[scored], gallery.score[scored], atol=1e-4)
    saving.save(decision(gallery, kept=kept))
    assert not (tmp_path / "reviewed_3" / FILE).exists()  # nobody decided a single class
