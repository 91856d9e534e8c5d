"""Probabilities out of logits."""

import numpy as np
import pytest

from cryofed.scoring.calibration import Calibration, fit_platt, sigmoid
from cryofed.scoring.in_job import USUAL, Jobs, in_job
from cryofed.scoring.looks import Looks

UNSEEN = Looks(np.zeros(3), np.zeros(3))


def test_platt_finds_the_slope_and_offset_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, 40_000)
    good = rng.random(len(logits)) < sigmoid(0.5 * logits - 1)
    found = fit_platt(logits, good)
    # 40,000 labels settle both to about 0.02.
    assert found.slope == pytest.approx(0.5, abs=0.03)
    assert found.offset == pytest.approx(-1, abs=0.06)


def test_a_weight_of_two_counts_as_a_class_that_is_there_twice() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, 60)
    good = rng.random(60) < sigmoid(logits)
    twice = np.repeat(np.arange(60), np.where(good, 2, 1))
    weighted = fit_platt(logits, good, np.where(good, 2.0, 1.0))
    repeated = fit_platt(logits[twice], good[twice])
    assert weighted.slope == pytest.approx(repeated.slope, abs=1e-6)
    assert weighted.offset == pytest.approx(repeated.offset, abs=1e-6)


def test_a_probability_is_that_of_slope_times_logit_and_offset_in_its_job() -> None:
    jobs = Jobs(bad=-2.0, good=2.0, spread=1.5, between=1.0)
    calibration = Calibration(slope=2.0, offset=-1.0, jobs=jobs)
    found = calibration.probabilities(np.array([0.5, 1.0, 3.0]), UNSEEN)
    np.testing.assert_allclose(found, in_job(np.array([0.0, 1.0, 5.0]), jobs).good)


def test_a_class_that_is_sharper_than_its_jobs_median_gains_by_no_more_than_the_limit() -> None:
    calibration = Calibration(sharpness=2.0)
    seen = calibration.seen(np.zeros(5), np.array([1.0, 1.0, 1.25, 0.5, 9.0]))
    assert seen.tolist() == [0, 0, 0.5, -1, 2]  # 2 * (0, 0, 0.25, -0.5, 8 cut to 1)


def test_how_clear_a_job_is_counts_where_sharpness_does() -> None:
    logits, looked = np.zeros(9), Looks(np.full(9, 2.8), np.full(9, 4.0))
    without, counted = Calibration(), Calibration(sharpness=1.0)
    np.testing.assert_array_equal(without.probabilities(logits, looked), in_job(logits, USUAL).good)
    np.testing.assert_array_equal(counted.probabilities(logits, looked), in_job(logits, USUAL, 5.4).good)


def test_json_keeps_every_number() -> None:
    calibration = Calibration(slope=1.5, offset=0.25, unsure=(0.3, 0.6), sharpness=0.7, jobs=Jobs(bad=-1.0))
    assert Calibration.from_json(calibration.to_json()) == calibration


def test_without_knowledge_of_jobs_each_class_is_judged_by_itself() -> None:
    alone = Calibration(slope=2.0, offset=-1.0, jobs=None)
    assert Calibration.from_json(alone.to_json()) == alone
    found = alone.probabilities(np.array([0.5, 1.0]), Looks(np.zeros(2), np.zeros(2)))
    np.testing.assert_allclose(found, [0.5, 1 / (1 + np.exp(-1))])  # sigmoid(0) and sigmoid(1)
    assert alone.judged(np.array([0.5, 1.0]), Looks(np.zeros(2), np.zeros(2))).doubt == 0


def test_what_an_older_model_does_not_tell_is_the_default() -> None:
    found = Calibration.from_json('{"slope": 2.0, "offset": 1.0, "unsure": [0.2, 0.7], "sharpness": 1.0}')
    assert found == Calibration(slope=2.0, offset=1.0, sharpness=1.0)


def test_unsure_lies_between_the_bounds_and_not_scored_is_never_unsure() -> None:
    found = Calibration(unsure=(0.3, 0.6)).is_unsure(np.array([0.2, 0.4, 0.7, np.nan]))
    assert found.tolist() == [False, True, False, False]
