"""Features beside the image."""

import numpy as np

from cryofed.scoring.features import contrast_in_job


def job(deviations: list[float], seed: int = 0) -> np.ndarray:
    pictures = np.random.default_rng(seed).normal(size=(len(deviations), 32, 32))
    pictures /= pictures.std(axis=(1, 2), keepdims=True)
    return (pictures * np.array(deviations)[:, None, None]).astype(np.float32)


def test_contrast_is_the_log2_of_the_deviation_over_the_jobs_median() -> None:
    found = contrast_in_job(job([0.5, 0.5, 1.0, 4.0, 4.0]))
    np.testing.assert_allclose(found, [-1, -1, 0, 2, 2], atol=1e-5)  # log2 of 0.5, 0.5, 1, 4, 4


def test_contrast_does_not_depend_on_the_jobs_grey_scale() -> None:
    pictures = job([0.5, 1.0, 2.0, 4.0])
    np.testing.assert_allclose(contrast_in_job(300 * pictures + 7), contrast_in_job(pictures), atol=1e-4)


def test_contrast_is_unknown_where_each_picture_was_stretched_alone() -> None:
    pictures = job([0.5, 1.0, 2.0, 4.0])
    lowest, highest = (f(pictures, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    assert np.isnan(contrast_in_job(255 * (pictures - lowest) / (highest - lowest))).all()


def test_a_flat_average_has_no_contrast_and_leaves_the_others_theirs() -> None:
    found = contrast_in_job(job([0.5, 1.0, 0.0, 2.0]))
    np.testing.assert_allclose(found, [-1, 0, np.nan, 1], atol=1e-5)


def test_a_job_of_flat_averages_has_no_contrast() -> None:
    assert np.isnan(contrast_in_job(np.zeros((3, 16, 16), np.float32))).all()
