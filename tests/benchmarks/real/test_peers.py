"""A peer's answer to a set comes from a network, and a calibration, that never saw the set's molecule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.peers.corpus import Part
from benchmarks.real.folds import FOLDS
from benchmarks.real.material import Material, part_of, real, relion_training
from benchmarks.real.peers import Course, calibrated, judge_peers, left_out
from benchmarks.real.sets import RealSet

from cryofed.jobs.job import ClassJob

Make = Callable[..., RealSet]


def test_each_fold_is_trained_once_and_judges_the_molecules_that_it_left_out(real_set: Make) -> None:
    sets = [real_set("a1", [1, 0], "TRPV1"), real_set("a2", [1, 0], "TRPV1"), real_set("b", [1, 0], "Pom152")]
    sets += [real_set("c", [1, 0], "haemagglutinin"), real_set("d", [1, 0], "insulin receptor")]
    asked: list[str] = []

    def train(fold: str) -> Callable[[ClassJob], np.ndarray]:
        asked.append(fold)
        return lambda job: np.full(len(job.classes), float(len(asked)))

    raw = left_out(sets, train)
    assert asked == ["trpv1", "stain", "all"]  # nobody trains on the last two: one network of all judges them
    assert set(raw) == {"a1", "a2", "b", "c", "d"}


def test_a_fold_sees_none_of_its_molecules_and_structures(real_set: Make) -> None:
    def part(n: int) -> Part:
        of = real_set("x", [1, 0] * n)
        return part_of(of.job, of.good.astype(float), of.good, of.counted)

    sets = [real_set("a", [1, 0], "TRPV1"), real_set("b", [1, 0], "Pom152")]
    relion = [(("1igt",), part(8)), (("9xyz",), part(16))]
    material = Material(part(1), part(1), relion, {"a": part(2), "b": part(4)})
    # Simulation 2; five times RELION's 16 and 32 classes, and the real sets' 4 and 8.
    assert len(material.without(FOLDS["all"], sets).own) == 2 + 5 * (16 + 32 + 4 + 8)
    assert len(material.without(FOLDS["trpv1"], sets).own) == 2 + 5 * (32 + 8)
    assert len(material.without(FOLDS["stain"], sets).own) == 2 + 5 * (16 + 32 + 4)


def test_a_molecule_s_own_labels_do_not_move_its_scores(real_set: Make) -> None:
    rng = np.random.default_rng(3)
    names = {"a": "TRPV1", "b": "β-galactosidase", "c": "haemagglutinin", "d": "insulin receptor"}
    sets = [real_set(name, [1, 0] * 10, molecule) for name, molecule in names.items()]
    raw = {of.name: of.good + rng.normal(0, 1, 20) for of in sets}
    plain = calibrated(sets, raw)
    for index, of in enumerate(sets):
        turned = [replace(one, good=~one.good) if i == index else one for i, one in enumerate(sets)]
        other = calibrated(turned, raw)
        same = {name for name in names if np.array_equal(plain[name].score, other[name].score)}
        assert same == {of.name}


def test_what_has_no_score_is_not_kept(real_set: Make) -> None:
    sets = [real_set("a", [1, 0] * 10, "TRPV1"), real_set("b", [1, 0] * 10, "Pom152")]
    raw = {of.name: np.where(np.arange(20) == 4, np.nan, of.good + np.arange(20) / 20) for of in sets}
    answer = calibrated(sets, raw)["a"]
    assert np.isnan(answer.score[4])
    assert answer.kept is not None
    assert not answer.kept[4]
    assert answer.kept[18]


def test_only_counted_classes_are_learnt_from(real_set: Make) -> None:
    of = real_set("a", [1, 0, None, 1])
    part = real(of)
    assert part.own.good.tolist() == [True, False, True]
    assert np.allclose(part.own.target, [0.92, 0.04, 0.92])


@pytest.mark.slow
def test_every_peer_is_trained_and_a_second_run_finds_what_was_kept(real_set: Make, tmp_path: Path) -> None:
    sets = [real_set("a", [1, 0] * 4, "TRPV1"), real_set("b", [1, 0] * 4, "Pom152")]
    parts = {of.name: real(of) for of in sets}
    material = Material(parts["a"], parts["b"], [], parts)
    course, said = Course(steps=1, further=1), []

    def judge() -> dict[str, np.ndarray]:
        judged = judge_peers(sets, material, course, tmp_path, said.append)
        return {name: answers["a"].score for name, answers in judged}

    first = judge()
    assert set(first) == {"pairwise-logistic", "relion-shape", "cryosift-shape"}
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(kept) == 2 * 3  # of each network: the start, and one for each fold
    second = judge()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == kept
    for name, score in first.items():
        assert np.isfinite(score).all()
        assert np.array_equal(score, second[name]), name


@pytest.mark.shared
def test_relion_s_jobs_to_train_on_are_read_with_their_structures(shared: Path) -> None:
    told = relion_training(shared / "data")
    assert len(told) == len(list((shared / "data/relion_training").glob("*/truth.tsv"))) == 16
    assert all(structures for structures, _ in told)
    good = np.concatenate([part.own.good for _, part in told])
    assert good.any()
    assert not good.all()
