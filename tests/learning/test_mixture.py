"""What a release is trained on."""

import numpy as np
import pytest

from cryofed.errors import TrainingError
from cryofed.learning.mixture import Mixture, Part
from cryofed.library.labelled import Labelled


def averages(sizes: list[int], value: float = 0.0) -> Labelled:
    n, job = sum(sizes), np.repeat(np.arange(len(sizes)), sizes)
    return Labelled(
        images=np.full((n, 4, 4), value, np.float32),
        features=np.zeros((n, 6), np.float32),
        target=np.zeros(n, np.float32),
        good=np.zeros(n, bool),
        reason=np.full(n, -1, np.int8),
        job=job,
        project=job,
    )


def test_every_batch_has_each_parts_share() -> None:
    mixture = Mixture.of(
        [Part(labelled=averages([900]), share=3), Part(labelled=averages([5], 1.0), share=1)]
    )
    for seed in range(5):
        rows = mixture.rows(64, np.random.default_rng(seed))
        assert len(rows) == 64
        assert (mixture.labelled.images[rows, 0, 0] == 1).sum() == 16  # a quarter, though 5 of 905


def test_a_small_job_is_drawn_for_more_than_its_size_and_a_large_one_for_more_than_its_number() -> None:
    mixture = Mixture.of([Part(labelled=averages([10, 1000]), share=1)])
    first = mixture.chances[:10].sum()
    assert first == pytest.approx(10**0.7 / (10**0.7 + 1000**0.7))  # about 4 %; by size 1 %, by job 50 %


def test_without_jobs_every_average_has_one_chance() -> None:
    mixture = Mixture.of([Part(labelled=averages([10, 30]), share=1, by_job=False)])
    np.testing.assert_allclose(mixture.chances, 1 / 40)


def test_jobs_of_different_parts_stay_different() -> None:
    mixture = Mixture.of([Part(labelled=averages([2, 2]), share=1), Part(labelled=averages([2]), share=1)])
    assert mixture.labelled.job.tolist() == [0, 0, 1, 1, 2, 2]


def test_a_part_without_averages_is_refused() -> None:
    with pytest.raises(TrainingError, match="no labelled averages"):
        Mixture.of([Part(labelled=averages([]), share=1)])
