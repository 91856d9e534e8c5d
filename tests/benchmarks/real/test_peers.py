"""A peer's answer to a set comes from a network, and a calibration, that never saw the set's molecule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.real.material import Material, part_of
from benchmarks.real.peers import Course, calibrated, judge_peers, left_out
from benchmarks.real.sets import RealSet

from cryofed.jobs.job import ClassJob

Make = Callable[..., RealSet]


def first_pixel(job: ClassJob) -> np.ndarray:
    return job.averages[:, 0, 0].astype(np.float64)


def test_no_molecule_is_on_both_sides_and_equal_trainings_are_shared(real_set: Make) -> None:
    sets = [real_set("a1", [1, 0], "a"), real_set("a2", [1, 0], "a"), real_set("b", [1, 0])]
    sets += [real_set("c", [1, 0], training=False), real_set("d", [1, 0], training=False)]
    seen: list[list[str]] = []

    def train(known: Sequence[RealSet]) -> Callable[[ClassJob], np.ndarray]:
        seen.append([of.name for of in known])
        return first_pixel

    raw = left_out(sets, train)
    # Without a; without b; and for c and d, which nobody trains on, one network of all that may be used.
    assert seen == [["b"], ["a1", "a2"], ["a1", "a2", "b"]]
    assert set(raw) == {"a1", "a2", "b", "c", "d"}


def test_a_molecule_s_own_labels_do_not_move_its_scores(real_set: Make) -> None:
    rng = np.random.default_rng(3)
    sets = [real_set(name, [1, 0] * 10) for name in "abc"]
    raw = {of.name: of.good + rng.normal(0, 1, 20) for of in sets}
    plain = calibrated(sets, raw)
    turned = calibrated([replace(sets[0], good=~sets[0].good), *sets[1:]], raw)
    assert np.array_equal(plain["a"].score, turned["a"].score)
    assert not np.array_equal(plain["b"].score, turned["b"].score)


def test_what_has_no_score_is_not_kept(real_set: Make) -> None:
    sets = [real_set(name, [1, 0] * 10) for name in "ab"]
    raw = {of.name: np.where(np.arange(20) == 4, np.nan, of.good + np.arange(20) / 20) for of in sets}
    answer = calibrated(sets, raw)["a"]
    assert np.isnan(answer.score[4])
    assert answer.kept is not None
    assert not answer.kept[4]
    assert answer.kept[18]


def test_a_real_set_gives_its_counted_classes_several_times(real_set: Make) -> None:
    of = real_set("a", [1, 0, None, 1])
    part = part_of(of.job, np.where(of.good, 0.92, 0.04), of.good, of.counted)
    assert part.own.good.tolist() == [True, False, True]
    assert np.allclose(part.own.target, [0.92, 0.04, 0.92])
    whole = Material(part, part, {"a": part}).beside([of])
    assert len(whole.own) == 3 + 5 * 3
    assert len(np.unique(whole.own.job)) == 6  # jobs of different parts stay different


def test_every_peer_is_trained_and_a_second_run_finds_what_was_kept(real_set: Make, tmp_path: Path) -> None:
    sets = [real_set(name, [1, 0] * 4) for name in "ab"]
    parts = {of.name: part_of(of.job, of.good.astype(float), of.good, of.counted) for of in sets}
    material = Material(parts["a"], parts["b"], parts)
    course, said = Course(steps=1, further=1), []

    def judge() -> dict[str, np.ndarray]:
        judged = judge_peers(sets, material, course, tmp_path, said.append)
        return {name: answers["a"].score for name, answers in judged}

    first = judge()
    assert set(first) == {"pairwise-logistic", "relion-shape", "cryosift-shape"}
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(kept) == 2 * 3  # of each network: the start, and once for each molecule left out
    second = judge()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == kept
    for name, score in first.items():
        assert np.isfinite(score).all()
        assert np.array_equal(score, second[name]), name


@pytest.mark.shared
def test_relion_s_jobs_to_train_on_are_read_and_those_that_judge_are_not(shared: Path) -> None:
    from benchmarks.real.material import relion_training

    part = relion_training(shared / "data")
    jobs = list((shared / "data/relion_training").glob("*/truth.tsv"))
    assert len(np.unique(part.own.job)) == len(jobs) == 16
    assert part.own.good.any()
    assert not part.own.good.all()
