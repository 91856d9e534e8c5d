"""Scores of any program are read with the same care as any file of a stranger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.real.programs import product, read_scores, rule, write_scores
from benchmarks.real.sets import RealSet
from benchmarks.real.table import Answer

from cryofed.errors import InputError

Make = Callable[..., RealSet]
HEAD = "set\tclass_number\tscore\tkept\n"


def test_scores_and_decisions_come_back_as_they_were_written(real_set: Make, tmp_path: Path) -> None:
    sets = [real_set("a", [1, 0, None]), real_set("b", [1])]
    answers = {
        "a": Answer(score=np.array([0.25, np.nan, 7.0]), kept=np.array([True, False, True])),
        "b": Answer(score=np.array([-1.5]), kept=np.array([False])),
    }
    write_scores(tmp_path / "scores.tsv", sets, answers)
    read = read_scores(tmp_path / "scores.tsv", sets)
    for name, answer in answers.items():
        assert np.array_equal(read[name].score, answer.score, equal_nan=True)
        assert np.array_equal(read[name].kept, answer.kept)


def test_without_a_column_kept_there_are_no_decisions(real_set: Make, tmp_path: Path) -> None:
    path = tmp_path / "scores.tsv"
    path.write_text("set\tclass_number\tscore\na\t2\t0.5\n")
    (answer,) = read_scores(path, [real_set("a", [1, 0]), real_set("b", [1])]).values()
    assert answer.kept is None
    assert np.array_equal(answer.score, [np.nan, 0.5], equal_nan=True)  # class 1 was not named


def test_a_set_of_the_benchmark_that_the_folder_lacks_is_passed_over(real_set: Make, tmp_path: Path) -> None:
    path = tmp_path / "scores.tsv"
    path.write_text(HEAD + "slicem\t1\t0.5\t1\na\t1\t0.5\t1\n")
    assert set(read_scores(path, [real_set("a", [1, 0])])) == {"a"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "set: an empty file; the first line names set, class_number, score"),
        ("set\tscore\n", "class_number: columns set, score; "),
        (HEAD + "z\t1\t0.5\t1\n", "line 2, set: 'z'; give one of a"),
        (HEAD + "a\t3\t0.5\t1\n", "line 2, class_number: '3'; a has classes 1 to 2"),
        (HEAD + "a\t0\t0.5\t1\n", "line 2, class_number: '0'; "),
        (HEAD + "a\t²\t0.5\t1\n", "line 2, class_number: '²'; "),
        (HEAD + "a\t1\tgood\t1\n", "line 2, score: 'good'; give a number"),
        (HEAD + "a\t1\tinf\t1\n", "line 2, score: 'inf'; give a finite number"),
        (HEAD + "a\t1\t0.5\tmaybe\n", "line 2, kept: 'maybe'; give 1 or 0"),
        (HEAD + "a\t1\t0.5\t1\na\t1\t0.6\t1\n", "line 3: class 1 of a again; give each class once"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    real_set: Make, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "scores.tsv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_scores(path, [real_set("a", [1, 0])])
    assert message in str(caught.value)


def test_a_file_that_is_no_text_is_refused(real_set: Make, tmp_path: Path) -> None:
    (tmp_path / "scores.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="give a table with tabs"):
        read_scores(tmp_path / "scores.tsv", [real_set("a", [1])])


def test_the_rule_sets_a_disc_over_noise_and_leaves_a_flat_average_out(real_set: Make) -> None:
    of = real_set("a", [1, 0, 0])
    y, x = np.indices((32, 32)) - 16
    averages = np.array(of.job.averages)
    averages[0] += 10 * (np.hypot(y, x) < 8)
    averages[2] = 0
    score = rule(replace(of.job, averages=averages)).score
    assert score[0] > 5 * score[1]
    assert np.isnan(score[2])


def test_the_product_decides_at_its_own_cut(real_set: Make) -> None:
    answer = product(real_set("a", [1] * 6).job)
    assert answer.kept is not None
    assert answer.score.shape == answer.kept.shape == (6,)
    assert answer.score[answer.kept].min(initial=1) >= answer.score[~answer.kept].max(initial=0)
