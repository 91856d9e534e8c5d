"""Simulated jobs: repeatable to the bit, shaped like real ones, and with truth that follows from physics."""

from __future__ import annotations

import numpy as np
import pytest

from cryofed.scoring.features import features
from cryofed.scoring.prepare import prepare_job
from cryofed.scoring.reasons import REASONS
from cryofed.simulation.classes.truth import SimulatedJob, quality
from cryofed.simulation.corpus import corpus, corpus_job


@pytest.fixture(scope="module")
def jobs() -> list[SimulatedJob]:
    return list(corpus(6, seed=3))


def test_the_same_seed_gives_the_same_bits_in_one_process_and_in_two(jobs: list[SimulatedJob]) -> None:
    again = list(corpus(2, seed=3, workers=2))
    for one, two in zip(jobs, again, strict=False):
        assert one.job.averages.tobytes() == two.job.averages.tobytes()
        assert one.truth.quality.tobytes() == two.truth.quality.tobytes()
        assert one.job.classes.resolution_angstrom.tobytes() == two.job.classes.resolution_angstrom.tobytes()


def test_job_number_i_does_not_depend_on_where_the_corpus_starts(jobs: list[SimulatedJob]) -> None:
    (only,) = corpus(1, seed=3, start=1)
    assert only.job.averages.tobytes() == jobs[1].job.averages.tobytes()


def test_another_seed_gives_other_pictures(jobs: list[SimulatedJob]) -> None:
    other = corpus_job(4, 0)
    assert other.job.averages.shape != jobs[0].job.averages.shape or not np.array_equal(
        other.job.averages, jobs[0].job.averages
    )


def test_a_simulated_job_is_prepared_like_a_real_one(jobs: list[SimulatedJob]) -> None:
    for one in jobs:
        n = len(one.job.averages)
        assert 20 <= n <= 100
        assert np.isfinite(one.job.averages).all()
        assert prepare_job(one.job).shape == (n, 64, 64)
        assert features(one.job).shape[0] == n


def test_truth_has_one_row_per_class_and_a_reason_for_every_class_that_is_not_good(
    jobs: list[SimulatedJob],
) -> None:
    for one in jobs:
        truth = one.truth
        assert len(truth.quality) == len(truth.junk) == len(truth.view) == len(one.job.averages)
        assert (truth.quality >= 0).all()
        assert (truth.quality <= 1).all()
        np.testing.assert_array_equal(truth.good, truth.reason == -1)
        assert truth.reason.max() < len(REASONS)
        # Junk has no molecule and no view; particles have both.
        junk = truth.molecule < 0
        assert np.isnan(truth.view[junk]).all()
        np.testing.assert_allclose(np.linalg.norm(truth.view[~junk], axis=1), 1, atol=1e-6)
        assert (truth.quality[junk] == 0).all()


def test_quality_is_one_for_a_perfect_class_and_nothing_where_one_fact_rules_it_out() -> None:
    one = np.ones(1)
    assert quality(one, one, 0.08 * one, 0 * one) == 1
    assert quality(0.35 * one, one, 0.08 * one, 0 * one) == 0  # a third of true particles
    assert quality(one, 0.6 * one, 0.08 * one, 0 * one) == 0  # does not look like the molecule
    assert quality(one, one, 0.45 * one, 0 * one) == 0  # a blob
    assert quality(one, one, 0.08 * one, 0.35 * one) == 0  # off-centre by a third of the diameter
    # Half way on the logarithmic scale from 0.45 to 0.08, all else perfect: sqrt(1 * 0.5).
    assert quality(one, one, np.sqrt(0.45 * 0.08) * one, 0 * one) == pytest.approx(np.sqrt(0.5))


def test_more_particles_and_finer_resolution_go_together_as_in_real_tables(jobs: list[SimulatedJob]) -> None:
    related = []
    for one in jobs:
        true = (one.truth.molecule >= 0) & (one.job.classes.particles > 0)
        if true.sum() > 6:
            ranks = [
                np.argsort(np.argsort(v))
                for v in (one.job.classes.particles[true], -one.truth.resolution_ratio[true])
            ]
            related.append(np.corrcoef(*ranks)[0, 1])
    assert np.mean(related) > 0.2
