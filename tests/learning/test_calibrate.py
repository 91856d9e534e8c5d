"""Fitting the calibration on simulated jobs."""

from pathlib import Path

import numpy as np
import torch

from cryofed.learning.calibrate import Answered, answers, fit_calibration, restyled, seen_logits
from cryofed.learning.corpus import labelled
from cryofed.learning.learner import initial_vector
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.detail import DETAIL
from cryofed.scoring.prepare import SIDE
from cryofed.scoring.scorer import open_model, score_job
from cryofed.simulation.corpus import corpus_job


def odd_jobs(n: int, rng: np.random.Generator) -> list[Answered]:
    """Jobs that differ by a style: in a job's embedding, bad classes lie 3 below the good ones."""
    jobs = []
    for _ in range(n):
        good = rng.random(20) < rng.uniform(0.2, 0.8)
        logits = np.where(good, 2.0, -2.0) + rng.normal(0, 2, 20)
        embedding = rng.normal(0, 0.3, (20, 20))
        embedding[:, 0] += rng.normal(0, 6) - np.where(good, 0, 3)
        jobs.append(Answered(logits, embedding, np.zeros((20, len(DETAIL))), good))
    return jobs


def test_the_context_sees_what_is_unlike_the_best_of_its_job() -> None:
    rng = np.random.default_rng(0)
    calibration = fit_calibration(odd_jobs(100, rng), odd_jobs(30, rng))
    logits, embedding = np.array([4.0, 3.0, 1.0, 1.0]), np.zeros((4, 20))
    embedding[:, 0] = [7, 7, 7, 4]  # the last lies 3 below the others, as bad classes do
    detail = np.zeros((4, len(DETAIL)))
    score = calibration.probabilities(logits, embedding, detail)
    moved = calibration.probabilities(logits, embedding - np.eye(20)[0] * 5, detail)
    assert score[3] < score[2]  # alike but for the job that they stand in
    np.testing.assert_allclose(moved, score, atol=1e-6)  # the style itself counts for nothing


def test_one_style_for_a_whole_job_is_drawn_from_the_seed() -> None:
    images = torch.randn(4, 96, 96, generator=torch.Generator().manual_seed(0))
    first = restyled(images, np.random.default_rng(3))
    assert first.shape == (4, SIDE, SIDE)
    assert torch.equal(first, restyled(images, np.random.default_rng(3)))


def test_answers_are_those_that_the_scorer_gets(tmp_path: Path) -> None:
    from cryofed.learning.export import write_model

    simulated = corpus_job(5, 1)
    vector = initial_vector(0)
    write_model(tmp_path, vector, Calibration())
    (answered,) = answers(vector, labelled(simulated))
    scored = score_job(simulated.job, tmp_path / "model.onnx").score
    expected = Calibration().probabilities(answered.logits, answered.embedding, answered.detail)
    # The kept pictures are float16 and cropped from a grid of their own.
    np.testing.assert_allclose(scored[np.isfinite(scored)], expected, atol=0.02)
    assert open_model(tmp_path / "model.onnx").calibration == Calibration()


def test_logits_in_context_come_in_the_order_of_the_rows() -> None:
    made = labelled(corpus_job(5, 1))
    vector = initial_vector(0)
    order = np.random.default_rng(0).permutation(len(made))
    np.testing.assert_allclose(
        seen_logits(vector, None, made.take(order)), seen_logits(vector, None, made)[order], atol=1e-5
    )
