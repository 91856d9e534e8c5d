"""Detail tells a sharp average from a blurred and from a noisy one, and nothing else."""

import numpy as np
import pytest

from cryofed.scoring.detail import DETAIL, detail
from cryofed.scoring.prepare import SIDE, normalize

AXIS = np.arange(SIDE) - (SIDE - 1) / 2
Y, X = np.meshgrid(AXIS, AXIS, indexing="ij")
BODY = np.exp(-(X**2 + Y**2) / (2 * 9.0**2))


def picture(ripple: float, noise: float, scale: float = 1.0) -> np.ndarray:
    """A round body with ripples 12 cycles across the picture, white noise on all of it."""
    grain = np.random.default_rng(0).normal(0, noise, (SIDE, SIDE))
    image = scale * (BODY * (1 + ripple * np.cos(2 * np.pi * 12 * X / SIDE)) + grain)
    return normalize(image[None].astype(np.float32))


def told(image: np.ndarray) -> dict[str, float]:
    return dict(zip(DETAIL, detail(image)[0], strict=True))


def test_a_blurred_average_has_less_fine_detail_and_less_above_its_grain() -> None:
    sharp, blurred = told(picture(0.4, 0.02)), told(picture(0.02, 0.02))
    assert sharp["fine"] > blurred["fine"] + 1
    assert sharp["fine_above_grain"] > blurred["fine_above_grain"] + 0.5
    # The grain around both is the same beside their coarse shape.
    assert sharp["grain"] == pytest.approx(blurred["grain"], abs=0.15)


def test_noise_counts_as_grain_and_not_as_detail_above_it() -> None:
    clean, noisy = told(picture(0.4, 0.01)), told(picture(0.4, 0.2))
    assert noisy["grain"] > clean["grain"] + 1
    assert noisy["fine_above_grain"] < clean["fine_above_grain"] - 0.5


def test_neither_grey_scale_nor_turns_matter() -> None:
    image = picture(0.4, 0.05)
    np.testing.assert_allclose(detail(picture(0.4, 0.05, scale=300.0)), detail(image), atol=1e-3)
    np.testing.assert_allclose(detail(np.rot90(image, axes=(1, 2))), detail(image), atol=1e-3)


def test_a_flat_average_has_finite_numbers() -> None:
    assert np.isfinite(detail(np.zeros((2, SIDE, SIDE), np.float32))).all()
