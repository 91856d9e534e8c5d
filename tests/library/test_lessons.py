"""What an earlier selection teaches: read where people have it, kept in a small file, forgotten on demand."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from cryofed.cli.main import main
from cryofed.errors import InputError
from cryofed.jobs.opening import open_job
from cryofed.library import lessons
from cryofed.library.lessons import read_selection, scores_learnt
from cryofed.scoring.clicks import CARRIED
from cryofed.scoring.scorer import score_job
from cryofed.selection.policy import Policy


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`site-1` RELION: Class2D/job010, job012, Select/job011, job013; `site-2` CryoSPARC: J10 to J13."""
    from cryofed.simulation.sites import write_sites

    out = tmp_path_factory.mktemp("taught") / "sites"
    write_sites(out, 2, 2, seed=3, cryosparc=1)
    return out


@pytest.fixture
def relion(sites: Path) -> Path:
    return sites / "site-1" / "project-1"


@pytest.fixture
def cryosparc(sites: Path) -> Path:
    return sites / "site-2" / "project-1"


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "cryofed" / "learnt"


def kept_numbers(out: Path) -> set[int]:
    import starfile

    averages = starfile.read(out / "class_averages.star")
    return {int(name.split("@")[0]) for name in averages["rlnReferenceImage"]}


def test_a_select_job_of_another_job_moves_scores_within_a_bound_and_is_kept_in_a_small_file(
    relion: Path, state: Path
) -> None:
    job, policy = open_job(relion / "Class2D" / "job012"), Policy()
    scores = score_job(job)
    said = read_selection(relion / "Select" / "job011")
    learnt, told = scores_learnt(job, scores, said, None, policy)
    scored = np.isfinite(scores.score)
    inside = [np.clip(s[scored], 1e-6, 1 - 1e-6) for s in (learnt.score, scores.score)]  # no odds is infinite
    moved = np.abs(np.log(inside[0] / (1 - inside[0])) - np.log(inside[1] / (1 - inside[1])))
    assert 0.01 < moved.max() < CARRIED + 1e-6
    assert (np.isfinite(learnt.score) == scored).all()
    (file,) = state.glob("*.json")
    assert file.stat().st_size < 10_000
    (one,) = lessons.lessons()
    assert one.words == told
    assert f"{one.lesson.good} kept, {one.lesson.bad} rejected" in told
    assert str(relion / "Select" / "job011") in told


def test_what_was_learnt_once_is_read_from_its_file_and_gives_the_same_scores(
    relion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = open_job(relion / "Class2D" / "job012")
    scores = score_job(job)
    said = read_selection(relion / "Select" / "job011")
    first, _ = scores_learnt(job, scores, said, None, Policy())
    monkeypatch.setattr(lessons, "score_job", lambda *_: pytest.fail("it was learnt before"))
    again, _ = scores_learnt(job, scores, said, None, Policy())
    np.testing.assert_allclose(again.score, first.score, atol=1e-6)


def test_the_selection_of_the_very_job_stands_as_it_was_made(relion: Path, tmp_path: Path) -> None:
    job012, select = relion / "Class2D" / "job012", relion / "Select" / "job013"
    out = tmp_path / "out"
    arguments = ["select", str(job012), "--learn-from", str(select), "--out", str(out), "--force"]
    assert main(arguments) == 0
    scores = score_job(open_job(job012))
    said = lessons.by_index(read_selection(select), open_job(job012))
    told = {
        int(open_job(job012).classes.number[i]): good
        for i, good in said.items()
        if np.isfinite(scores.score[i])
    }
    assert {number for number in told if told[number]} <= kept_numbers(out)
    assert not {number for number in told if not told[number]} & kept_numbers(out)
    assert not lessons.lessons()  # nothing is carried, nothing is kept


def test_cryosparc_teaches_as_well(
    cryosparc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["select", str(cryosparc / "J12"), "--learn-from", str(cryosparc / "J11"), "--force"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert f"learnt from {cryosparc / 'J11'}: " in capsys.readouterr().err


def test_a_table_for_the_job_itself_and_one_that_names_another(relion: Path, tmp_path: Path) -> None:
    job = open_job(relion / "Class2D" / "job012")
    scores = score_job(job)
    scored = np.flatnonzero(np.isfinite(scores.score))
    best, worst = scored[np.argmax(scores.score[scored])], scored[np.argmin(scores.score[scored])]
    numbers = job.classes.number
    table = tmp_path / "mine.tsv"
    table.write_text(f"class_number\tlabel\n{numbers[best]}\t0\n{numbers[worst]}\t1\n")
    learnt, told = scores_learnt(job, scores, read_selection(table), None, Policy())
    assert learnt.score[best] < Policy().threshold <= learnt.score[worst]
    assert told.endswith("1 kept, 1 rejected in this job")
    other = open_job(relion / "Class2D" / "job010")
    sure = other.classes.number[np.nanargmax(score_job(other).score)]
    table.write_text(f"# job: {relion / 'Class2D' / 'job010'}\nclass_number\tlabel\n{sure}\t1\n")
    _, told = scores_learnt(job, scores, read_selection(table), None, Policy())
    assert "in this job" not in told


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("nowhere", "no such file or folder"),
        ("Class2D/job010", "no selection of a person"),
        ("Select/job099", "RELION's class ranker chose"),
        ("strange.tsv", "class 999"),
    ],
)
def test_what_teaches_nothing_is_refused_in_one_line_and_nothing_is_written(
    relion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, found: str
) -> None:
    project = tmp_path / "project"
    shutil.copytree(relion, project)
    shutil.copytree(project / "Select" / "job011", project / "Select" / "job099")
    star = project / "Select" / "job099" / "job.star"
    star.write_text(star.read_text().replace("relion.select.interactive", "relion.select.class2dauto"))
    (project / "strange.tsv").write_text("class_number\tlabel\n999\t1\n")
    out = tmp_path / "out"
    job = str(project / "Class2D" / "job012")
    assert main(["select", job, "--learn-from", str(project / what), "--out", str(out)]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert found in told
    assert not out.exists()
    assert not lessons.lessons()


def test_lessons_are_listed_removed_and_not_learnt_again_by_themselves(
    relion: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = open_job(relion / "Class2D" / "job012")
    scores, said = score_job(job), read_selection(relion / "Select" / "job011")
    scores_learnt(job, scores, said, None, Policy())
    assert main(["learnt"]) == 0
    listed = capsys.readouterr().out
    (one,) = lessons.lessons()
    assert one.key in listed
    assert "1 lessons" in listed
    assert main(["learnt", "remove", one.key[:5]]) == 0
    assert not lessons.lessons()
    assert not list(state.glob("*.json"))
    by_itself, told = scores_learnt(job, scores, said, None, Policy(), again=False)
    assert told == ""
    np.testing.assert_array_equal(by_itself.score, scores.score)
    _, told = scores_learnt(job, scores, said, None, Policy())  # asked for by a person
    assert told
    assert main(["learnt", "remove", "ffff"]) == 1
    assert "0 lessons begin with 'ffff'" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 9}', "version", "weights"])
def test_a_damaged_lesson_is_learnt_again(relion: Path, state: Path, damage: str) -> None:
    job = open_job(relion / "Class2D" / "job012")
    scores, said = score_job(job), read_selection(relion / "Select" / "job011")
    first, _ = scores_learnt(job, scores, said, None, Policy())
    (file,) = state.glob("*.json")
    plain = json.loads(file.read_text())
    if damage == "version":
        plain["version"] = 2
    elif damage == "weights":
        plain["lesson"]["weights"] = ["a"]
    file.write_text(json.dumps(plain) if damage in ("version", "weights") else damage)
    again, _ = scores_learnt(job, scores, said, None, Policy())
    np.testing.assert_allclose(again.score, first.score, atol=1e-6)
    assert lessons.lessons()


def test_a_lesson_belongs_to_one_model_and_to_these_decisions(relion: Path) -> None:
    said = read_selection(relion / "Select" / "job011")
    keys = {
        lessons.lesson_key(said, decided, model)
        for decided in ({1: True, 2: False}, {1: True})
        for model in ("one", "another")
    }
    assert len(keys) == 4


def test_the_earlier_selection_of_a_project_is_the_latest_of_another_job(relion: Path) -> None:
    job010, job012 = (open_job(relion / "Class2D" / name) for name in ("job010", "job012"))
    assert lessons.earlier_selection(relion, job012).source.name == "job011"
    assert lessons.earlier_selection(relion, job010).source.name == "job013"
    assert lessons.earlier_selection(relion / "Class2D", job010) is None


def test_a_selection_that_says_the_same_of_every_class_is_refused(relion: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(relion, project)
    star = project / "Select" / "job011" / "backup_selection.star"
    head, rows = star.read_text().split("rlnSelected", 1)
    star.write_text(head + "rlnSelected" + re.sub(r"(?m)^( *)0", r"\g<1>1", rows))
    job = open_job(project / "Class2D" / "job012")
    with pytest.raises(InputError, match="every class is kept"):
        scores_learnt(job, score_job(job), read_selection(project / "Select" / "job011"), None, Policy())
