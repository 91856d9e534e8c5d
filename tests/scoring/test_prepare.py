"""Crop, resample, normalize."""

from pathlib import Path

import numpy as np
import pytest

from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.scoring.prepare import (
    SIDE,
    circle,
    is_dark,
    job_radius_px,
    mask_seen_px,
    normalize,
    prepare,
    resample,
)


def blob(box: int, sigma: float, n: int = 3) -> np.ndarray:
    y, x = np.indices((box, box)) - box // 2
    grain = np.random.default_rng(1).normal(scale=0.2, size=(n, box, box))
    return (np.exp(-(x**2 + y**2) / (2 * sigma**2)) + grain).astype(np.float32)


def masked(images: np.ndarray, radius: float, edge: float = 5.0) -> np.ndarray:
    y, x = np.indices(images.shape[1:]) - images.shape[-1] // 2
    return (images * np.clip((radius + edge - np.hypot(y, x)) / edge, 0, 1)).astype(np.float32)


def test_inside_the_circle_mean_is_0_and_deviation_1_and_outside_is_0() -> None:
    out = prepare(np.random.default_rng(0).normal(size=(2, 90, 90)), 40.0)
    inside = circle(SIDE)
    assert out.shape == (2, SIDE, SIDE)
    np.testing.assert_allclose(out[:, inside].mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(out[:, inside].std(axis=1), 1, atol=0.01)  # the clip takes a little
    assert not out[:, ~inside].any()


def test_a_flat_average_becomes_all_zero() -> None:
    assert not normalize(np.full((1, SIDE, SIDE), 7.3, np.float32)).any()


def test_the_same_particle_in_another_box_and_pixel_size_gives_the_same_picture() -> None:
    y, x = np.indices((200, 200)) - 100
    fine = np.exp(-(x**2 + 2 * y**2) / (2 * 24.0**2))[None]
    y, x = np.indices((100, 100)) - 50
    coarse = np.exp(-(x**2 + 2 * y**2) / (2 * 12.0**2))[None]
    # Both particles are 0.3 of the radius wide; interpolation of a smooth picture errs by under 0.05.
    assert np.abs(prepare(fine, 80.0) - prepare(coarse, 40.0)).max() < 0.05


def test_beyond_the_box_lies_the_mean_of_its_border() -> None:
    images = np.full((1, 32, 32), 5.0, np.float32)
    images[0, 16, 16] = 6.0
    wide = resample(images, 32.0, 32)  # twice as wide as the box
    assert np.abs(wide[0, :6]).max() < 1e-5
    assert wide.max() == pytest.approx(1 / 16)  # 2 px steps, a triangle of 2 px: a quarter along each axis


def test_a_zero_mask_is_seen_whatever_was_typed() -> None:
    averages = masked(blob(96, 8.0), 30.0)  # soft from 30 to 35 px
    seen = mask_seen_px(averages)
    assert seen == pytest.approx(34.5, abs=1.5)
    job = ClassJob(
        program="relion",
        path=Path("x"),
        name="x",
        averages=averages,
        classes=ClassTable.unknown(3),
        pixel_size_angstrom=2.0,
        mask_diameter_angstrom=60.0,
    )
    assert job_radius_px(job) == seen


def test_where_no_mask_is_seen_the_typed_one_counts_and_then_the_box() -> None:
    def job(diameter: float | None) -> ClassJob:
        return ClassJob(
            program="images",
            path=Path("x"),
            name="x",
            averages=blob(96, 8.0),
            classes=ClassTable.unknown(3),
            pixel_size_angstrom=2.0,
            mask_diameter_angstrom=diameter,
        )

    assert mask_seen_px(job(None).averages) is None
    assert job_radius_px(job(120.0)) == 30.0  # 120 Å / 2 Å / 2
    assert job_radius_px(job(None)) == 48.0


def test_dark_particles_are_seen_and_turned_over() -> None:
    bright = masked(blob(96, 8.0), 30.0)
    assert not is_dark(bright)
    assert is_dark(-bright)
    np.testing.assert_allclose(prepare(-bright, 35.0, dark=True), prepare(bright, 35.0), atol=1e-4)
