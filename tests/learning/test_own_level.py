"""A site's own labels say what a score means where they surely say it better than the release."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.federation.labelled_blobs import labelled

from cryofed.learning.calibrate import judged_scores
from cryofed.learning.learner import TrainingSettings, initial_vector, train
from cryofed.learning.own_level import own_level
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import Calibration


@pytest.fixture(scope="module")
def trained() -> np.ndarray:
    return train(initial_vector(0), labelled(120, 0), TrainingSettings(steps=25, batch=16), 1).vector


def of_jobs(seed: int, jobs: int, keeps: float = 1.0) -> Labelled:
    """Jobs of 24, half of them good, of which a strict expert keeps some."""
    many = labelled(24 * jobs, seed)
    kept = many.good & (np.random.default_rng(seed).random(len(many)) < keeps)
    return replace(many, good=kept, job=np.repeat(np.arange(jobs), 24))


def test_a_strict_expert_gets_a_level_that_the_release_does_not_have(trained: np.ndarray) -> None:
    common = Calibration()
    found = own_level(trained, of_jobs(5, 10, keeps=0.5), common)
    assert found.jobs is None
    new = of_jobs(6, 10, keeps=0.5)
    own, before = (judged_scores(trained, new, one) for one in (found, common))
    assert np.square(own - new.good).mean() < np.square(before - new.good).mean()
    # A slope and an offset of greatest likelihood: the mean score is the share that is kept.
    assert own.mean() == pytest.approx(new.good.mean(), abs=0.06)


def test_where_the_release_says_it_well_it_stays(trained: np.ndarray) -> None:
    fine = own_level(trained, of_jobs(5, 40), Calibration(offset=3.0))
    assert fine.jobs is None  # the release's was far off
    assert own_level(trained, of_jobs(7, 10), fine) == fine


def test_of_a_single_job_nobody_knows_whether_its_level_is_better(trained: np.ndarray) -> None:
    common = Calibration(offset=2.0)
    assert own_level(trained, of_jobs(5, 1), common) == common
