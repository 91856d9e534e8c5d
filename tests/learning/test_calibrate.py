"""Fitting the calibration on jobs that were not trained on."""

from pathlib import Path

import numpy as np
import pytest

from cryofed.learning.calibrate import Answered, answers, fit_calibration, fit_jobs, seen_logits
from cryofed.learning.corpus import labelled
from cryofed.learning.learner import initial_vector, plain_logits
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import Calibration, sigmoid
from cryofed.scoring.in_job import USUAL, Jobs, in_job, limited, log_likelihood
from cryofed.scoring.scorer import open_model, score_job
from cryofed.simulation.corpus import corpus_job


def test_slope_and_offset_are_those_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    jobs = []
    for _ in range(400):
        logits = rng.normal(0, 3, 50)
        jobs.append(Answered(logits, np.zeros(50), rng.random(50) < sigmoid(0.5 * logits - 1)))
    found = fit_calibration(jobs)
    # 20,000 labels settle both to about 0.03.
    assert found.slope == pytest.approx(0.5, abs=0.04)
    assert found.offset == pytest.approx(-1, abs=0.08)


def test_a_large_job_counts_by_the_root_of_its_classes() -> None:
    even = np.array([-1.0, 1.0] * 2)
    small = Answered(
        np.r_[even, even], np.zeros(8), np.r_[np.ones(4, bool), np.zeros(4, bool)]
    )  # half are good
    large = Answered(np.tile(small.logits, 100), np.zeros(800), np.ones(800, bool))  # all are good
    found = fit_calibration([small, large])
    # 800 / sqrt(800) against 8 / sqrt(8): ten to one, and half of the one is bad.
    assert sigmoid(np.array([found.offset]))[0] == pytest.approx((10 + 0.5) / 11, abs=0.01)


def test_answers_are_those_that_the_scorer_gets(tmp_path: Path) -> None:
    from cryofed.learning.export import write_model

    simulated = corpus_job(5, 1)
    vector = initial_vector(0)
    calibration = Calibration(sharpness=0.5)
    write_model(tmp_path, vector, calibration)
    (answered,) = answers(vector, labelled(simulated))
    scored = score_job(simulated.job, tmp_path / "model.onnx").score
    expected = in_job(answered.logits + 0.5 * answered.sharper, USUAL).good
    # The kept pictures are float16 and cropped from a grid of their own.
    np.testing.assert_allclose(scored[np.isfinite(scored)], expected, atol=0.02)
    assert open_model(tmp_path / "model.onnx").calibration == calibration


def test_logits_are_seen_beside_each_job_of_its_own() -> None:
    made = Labelled.join([labelled(corpus_job(5, 1)), labelled(corpus_job(6, 1))])
    vector, calibration = initial_vector(0), Calibration(sharpness=2.0)
    together = seen_logits(vector, made, calibration)
    for job in (0, 1):
        part = made.take(made.job == job)
        np.testing.assert_allclose(
            together[made.job == job], seen_logits(vector, part, calibration), atol=1e-5
        )
    np.testing.assert_array_equal(seen_logits(vector, made, Calibration()), plain_logits(vector, made))


def test_the_likelihood_is_greatest_near_the_numbers_that_made_the_jobs() -> None:
    rng = np.random.default_rng(7)
    true = Jobs(bad=-3.0, good=5.0, spread=1.5, between=1.0)
    kind = np.arange(16) < 8
    means, far = np.where(kind, true.good, true.bad), rng.normal(0, true.between, 150)
    labelled = [(rng.normal(means + one, true.spread), kind) for one in far]
    found = fit_jobs([(limited(logits), good) for logits, good in labelled])
    # 150 distances settle their mean to about 0.1 and their deviation to 0.1
    assert found.bad == pytest.approx(true.bad, abs=0.3)
    assert found.good == pytest.approx(true.good, abs=0.3)
    assert found.spread == pytest.approx(true.spread, abs=0.15)
    assert found.between == pytest.approx(true.between, abs=0.25)
    assert log_likelihood(*labelled[0], true) < 0


def test_few_jobs_settle_nothing() -> None:
    few = [(np.array([-1.0, 1.0]), np.array([False, True]))] * 7
    assert fit_jobs(few) == USUAL
    assert fit_jobs([(np.array([1.0, 2.0]), np.array([True, True]))] * 20) == USUAL  # of one kind
