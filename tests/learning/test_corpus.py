"""Simulated jobs as labelled averages."""

from pathlib import Path

import numpy as np

from cryofed.learning.corpus import labelled, make_shards, read_shards
from cryofed.library.pictures import prepare_again
from cryofed.scoring.prepare import prepare_job
from cryofed.scoring.scorer import scorable
from cryofed.simulation.corpus import corpus_job


def test_a_simulated_job_is_prepared_as_scoring_does() -> None:
    simulated = corpus_job(5, 0)
    made = labelled(simulated, number=7)
    usable = scorable(simulated.job)
    assert len(made) == usable.sum()
    assert set(made.job) == {7}
    expected = prepare_job(simulated.job)[usable]
    # float16 keeps three digits; values reach 8.
    np.testing.assert_allclose(prepare_again(made.images), expected, atol=0.02)


def test_shards_are_kept_and_read_back(tmp_path: Path) -> None:
    assert list(make_shards(tmp_path, jobs=2, seed=5)) == [2]
    before = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    assert list(make_shards(tmp_path, jobs=2, seed=5)) == [2]
    assert {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()} == before
    read = read_shards(tmp_path, jobs=2, seed=5)
    assert len(np.unique(read.job)) == 2
    assert ((read.target >= 0) & (read.target <= 1)).all()
