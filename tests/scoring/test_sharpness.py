"""Detail above the grain."""

import numpy as np

from cryofed.scoring.prepare import SIDE, normalize
from cryofed.scoring.sharpness import DULL, beside_job, sharpness


def pictures(detail: float, grain: float) -> np.ndarray:
    """One soft particle with fine texture on it, and grain everywhere."""
    rng = np.random.default_rng(0)
    axis = np.arange(SIDE) - (SIDE - 1) / 2
    particle = np.exp(-np.square(np.hypot(axis[:, None], axis[None, :]) / 14))
    texture = np.sin(axis[:, None] * 2 * np.pi * 16 / SIDE) * particle
    image = 3 * particle + detail * texture + grain * rng.normal(size=(SIDE, SIDE))
    return normalize(image[None].astype(np.float32))


def test_texture_on_the_particle_is_sharp() -> None:
    assert sharpness(pictures(1.0, 0.02))[0] > sharpness(pictures(0.1, 0.02))[0] + 0.5


def test_grain_around_the_particle_is_not() -> None:
    assert sharpness(pictures(0.3, 0.02))[0] > sharpness(pictures(0.3, 0.5))[0] + 0.5


def test_quarter_turns_mirrors_and_grey_scale_change_nothing() -> None:
    image = pictures(0.5, 0.1)
    for other in (np.rot90(image, 1, (1, 2)), image[:, :, ::-1], normalize(7 * image - 3)):
        np.testing.assert_allclose(sharpness(np.ascontiguousarray(other)), sharpness(image), atol=0.02)


def test_flat_pictures_have_a_number() -> None:
    assert np.isfinite(sharpness(np.zeros((2, SIDE, SIDE), np.float32))).all()


def test_beside_the_job_is_the_distance_from_the_median_within_one() -> None:
    assert beside_job(np.array([1.0, 2.0, 2.5, 9.0, 1.5])).tolist() == [-1, 0, 0.5, 1, -0.5]


def test_nothing_is_sharp_in_a_job_of_blurs_up_to_what_is_dull() -> None:
    found = beside_job(np.array([-0.5, -0.4, -0.3, 0.4, 0.9]))
    np.testing.assert_allclose(found, [-0.2, -0.1, 0, 0, 0.9 - DULL])
