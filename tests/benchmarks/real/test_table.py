"""The table's figures, worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from benchmarks.real.sets import RealSet
from benchmarks.real.table import Answer, each_set, markdown, mean_of, side_by_side, summarize

Make = Callable[..., RealSet]


def answer(scores: list[float], kept: list[int] | None = None) -> Answer:
    return Answer(score=np.array(scores), kept=None if kept is None else np.array(kept, bool))


def large(good: float, bad: float, n: int = 8) -> Answer:
    """`n` good classes of one score, then `n` bad ones of another; kept from one half on."""
    scores = [good] * n + [bad] * n
    return answer(scores, [score >= 0.5 for score in scores])


def test_figures_of_one_set(real_set: Make) -> None:
    of = real_set("a", [1, 1, 0, 0, None])
    # Pairs of good over bad: (.9, .6), (.9, .1), (.5, .1) right and (.5, .6) wrong: 3 of 4.
    (row,) = summarize([of], {"a": answer([0.9, 0.5, 0.6, 0.1, 0.7], [1, 0, 1, 0, 1])}).rows
    assert (row.of.n_good, row.of.n_bad) == (2, 2)
    assert row.of.auc == 0.75
    assert (row.of.good_kept, row.of.bad_rejected) == (0.5, 0.5)


def test_a_class_without_a_score_lies_below_every_other(real_set: Make) -> None:
    sets = [real_set("a", [1, 0, 0])]
    assert summarize(sets, {"a": answer([-5.0, np.nan, -7.0])}).rows[0].of.auc == 1.0
    assert summarize(sets, {"a": answer([np.nan, -5.0, -7.0])}).rows[0].of.auc == 0.0


def test_without_decisions_only_the_order_is_judged(real_set: Make) -> None:
    (row,) = summarize([real_set("a", [1, 0])], {"a": answer([0.9, 0.1])}).rows
    assert row.of.auc == 1.0
    assert np.isnan(row.of.good_kept)


def test_a_set_of_good_classes_alone_still_tells_what_is_kept(real_set: Make) -> None:
    summary = summarize([real_set("a", [1] * 10)], {"a": answer([0.9] * 10, [1] * 6 + [0] * 4)})
    assert np.isnan(summary.rows[0].of.auc)
    assert summary.worst("good_kept") == (0.6, "a")
    assert np.isnan(summary.worst("auc")[0])


def test_demonstrations_and_few_classes_count_in_the_mean_and_never_as_worst(real_set: Make) -> None:
    both = [1] * 8 + [0] * 8
    sets = [
        real_set("fair", both),
        real_set("better", both),
        real_set("shown", both, demonstration=True),
        real_set("few", [1] * 7 + [0] * 9),
    ]
    answers = {"fair": large(0.6, 0.6), "better": large(0.9, 0.1), "shown": large(0.1, 0.9)}
    answers["few"] = answer([0.1] * 7 + [0.9] * 9, [0] * 7 + [1] * 9)
    summary = summarize(sets, answers)
    assert [row.name for row in summary.rows] == ["few", "shown", "fair", "better"]
    assert [row.marks for row in summary.rows] == ["f", "d", "", ""]
    assert summary.worst("auc") == (0.5, "fair")
    assert summary.mean("auc") == (0.5 + 1 + 0 + 0) / 4
    # Nine bad classes are enough to be the worst in rejecting them.
    assert summary.worst("bad_rejected")[1] in {"few", "fair"}


def test_all_on_one_scale_sees_a_set_whose_level_is_off(real_set: Make) -> None:
    sets = [real_set("low", [1, 0]), real_set("high", [1, 0])]
    summary = summarize(sets, {"low": answer([0.2, 0.1]), "high": answer([0.9, 0.8])})
    assert summary.mean("auc") == 1.0
    assert summary.together.auc == 0.75  # of four pairs the low good one and the high bad one are wrong


def test_seeds_are_averaged_set_by_set(real_set: Make) -> None:
    sets = [real_set("a", [1, 0])]
    runs = [summarize(sets, {"a": answer(s, [1, 1])}) for s in ([0.9, 0.1], [0.1, 0.9])]
    summary = mean_of(runs)
    assert summary.rows[0].of.auc == 0.5
    assert summary.rows[0].of.good_kept == 1.0
    assert summary.together.auc == 0.5


def test_the_table_says_what_it_holds(real_set: Make) -> None:
    sets = [real_set("good-only", [1] * 9), real_set("both", [1] * 8 + [0] * 8), real_set("absent", [1, 0])]
    answers = {"both": large(0.9, 0.1), "good-only": answer([0.9] * 9, [1] * 9)}
    lines = markdown(summarize(sets, answers)).splitlines()
    assert lines[2] == "| both | 8 | 8 | 1.000 | 100 % | 100 % |  |"
    assert lines[3] == "| good-only | 9 | 0 | – | 100 % | – | f |"
    assert lines[4] == "| **mean of the sets** | | | 1.000 | 100 % | 100 % | |"
    assert lines[5] == "| **without d and f** | | | 1.000 | 100 % | 100 % | |"
    assert lines[6] == "| **worst set** | | | 1.000 both | 100 % both | 100 % both | |"
    assert lines[7] == "| **all classes on one scale** | 17 | 8 | 1.000 | 100 % | 100 % |  |"
    assert "absent" not in "".join(lines)


def test_programs_stand_beside_each_other(real_set: Make) -> None:
    sets = [real_set("a", [1] * 8 + [0] * 8), real_set("b", [1] * 8 + [0] * 8)]
    good = summarize(sets, {"a": large(0.9, 0.1), "b": large(0.9, 0.1)})
    poor = summarize(sets, {"a": large(0.1, 0.9), "b": large(0.9, 0.1)})
    table = side_by_side({"ours": good, "peer": poor}).splitlines()
    assert table[2] == "| ours | 1.000 | 1.000 a | 1.000 | 100 % | 100 % a | 100 % | 100 % a |"
    assert table[3].startswith("| peer | 0.500 | 0.000 a | 0.500 | 50 % | 0 % a |")
    sets_table = each_set({"ours": good, "peer": poor}).splitlines()
    assert sets_table[2:] == ["| a | 1.000 | 0.000 |", "| b | 1.000 | 1.000 |"]


@pytest.mark.parametrize("figure", ["auc", "good_kept", "bad_rejected"])
def test_nothing_answered_is_no_figure(real_set: Make, figure: str) -> None:
    summary = summarize([real_set("a", [1, 0])], {})
    assert summary.rows == ()
    assert np.isnan(summary.mean(figure))
