"""What teaches never judges; what is counted is counted as it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.real.folds import FOLDS, HALVES
from benchmarks.real.home import lessons
from benchmarks.real.joining import federations
from benchmarks.real.one_kind import Alone, part_of
from benchmarks.real.one_kind import table as one_kind
from benchmarks.real.reasons import Given, readings
from benchmarks.real.reasons import table as reasons
from benchmarks.real.sets import RealSet
from benchmarks.real.sources import labels, sources

from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.scoring.reasons import REASONS, SURE


def job(n: int) -> ClassJob:
    averages = np.zeros((n, 16, 16), np.float32)
    return ClassJob(
        program="images", path=Path("x"), name="x", averages=averages, classes=ClassTable.unknown(n)
    )


@pytest.fixture(scope="module")
def sets() -> list[RealSet]:
    """All sets of the benchmark with their labels, without their pictures."""
    return [
        RealSet(
            name=source.name,
            molecule=source.molecule,
            job=job(len(labels()[source.name])),
            good=labels()[source.name].good,
            counted=labels()[source.name].counted,
            training=source.training,
            demonstration=source.demonstration,
            negative_stain=source.negative_stain,
            grey=source.grey,
            labelled_by=source.labelled_by,
        )
        for source in sources()
    ]


def test_what_judges_a_laboratory_was_never_trained_on(sets: list[RealSet]) -> None:
    by_name = {one.name: one for one in sets}
    found = list(lessons(sets))
    assert {lesson.kind for lesson in found} == {"next job", "other molecule", "own next"}
    for lesson in found:
        assert not set(lesson.taught) & set(lesson.judged)
        if lesson.fold == "start":  # saw no real average
            continue
        shown = {one.molecule for one in sets if one.training} - set(FOLDS[lesson.fold].molecules)
        for name in (*lesson.taught, *lesson.judged):
            assert by_name[name].molecule not in shown, f"{lesson.lab}: {name}"


def test_neither_the_start_nor_a_lab_that_joins_has_seen_what_judges(sets: list[RealSet]) -> None:
    judged = []
    for half, fold in HALVES.items():
        shown = {one.molecule for one in sets if one.training} - set(fold.molecules)
        for labs, judges in federations(sets, half):
            assert len(labs) >= 3
            taught = {one.molecule for mine in labs.values() for one in mine}
            assert all(one.training for mine in labs.values() for one in mine)
            for one in judges:
                assert one.molecule not in shown | taught, one.name
                judged.append(one.name)
    assert len(judged) == len(set(judged)) > 10


def test_a_laboratory_teaches_with_at_least_fifty_labels_of_both_kinds(sets: list[RealSet]) -> None:
    by_name = {one.name: one for one in sets}
    for lesson in lessons(sets):
        good = sum(by_name[name].n_good for name in lesson.taught)
        bad = sum(by_name[name].n_bad for name in lesson.taught)
        assert good + bad >= 50, lesson
        assert min(good, bad) > 0, lesson


def test_a_part_of_a_job_keeps_its_class_numbers() -> None:
    part = part_of(job(4), np.array([False, True, False, True]))
    assert part.classes.number.tolist() == [2, 4]
    assert len(part.averages) == 2


def test_jobs_of_one_kind_are_told_with_the_worst_first_and_the_mean_of_large_sets() -> None:
    def alone(name: str, good: bool, n: int, kept: float) -> Alone:
        return Alone(name=name, good=good, n=n, kept=kept)

    run = [alone("a", False, 10, 0.0), alone("a", True, 8, 0.9), alone("b", False, 20, 0.5)]
    run.append(alone("c", False, 3, 0.8))  # too few to count in the mean, but a row
    lines = one_kind([run, run], [True, True, False, True]).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| c", "| b", "| a"]
    # (0 + 0.5) / 2 = 25 % of bad
    assert "of bad classes alone 25 % are kept on the mean, and nothing in 1 of 2 sets" in lines[6]
    assert lines[-1] == "A single good class among all bad ones of its set is kept in 75 % of 4 draws."


def test_reasons_count_what_was_read_and_a_rejected_good_class_as_wrong() -> None:
    def given(probability: float, fits: bool | None, good: bool = False) -> Given:
        return Given(reason="edge or neighbour", probability=probability, good=good, fits=fits)

    told = reasons([given(0.95, True), given(0.65, False, good=True), given(0.55, None)])
    row = next(line for line in told.splitlines() if line.startswith("| edge"))
    assert row.startswith("| edge or neighbour | 1 of 2 fit (3) | 1 of 2 fit (2) | 1 of 1 fit (1) |")
    assert told.endswith("Told with a reason: 2 of 3 rejected classes.")


def test_every_reading_is_of_a_reason_that_exists_and_the_told_ones_were_read() -> None:
    assert {reason for _, _, reason in readings()} <= set(REASONS)
    assert set(SURE) <= {reason for (_, _, reason), fits in readings().items() if fits}
