"""Bytes that stand for deviations, and spectra with the centre where the page draws its rings."""

from __future__ import annotations

import numpy as np

from cryofed.scoring.prepare import circle, resampling
from cryofed.web.review.pictures import MARGIN, RANGE, power_spectrum, quantize, thumbnails


def deviations(byte: np.ndarray) -> np.ndarray:
    low, high = RANGE
    return low + (high - low) * byte / 255


def test_a_byte_stands_for_deviations_inside_the_circle() -> None:
    rng = np.random.default_rng(0)
    picture = rng.normal(7, 3, (64, 64)).astype(np.float32)
    inside = picture[circle(64)]
    expected = (picture - inside.mean()) / inside.std()
    half_a_step = (RANGE[1] - RANGE[0]) / 255 / 2
    assert np.abs(deviations(quantize(picture)) - expected).max() <= half_a_step + 1e-5


def test_an_empty_class_is_even_grey_and_not_noise() -> None:
    for value in (0.0, 5.0, np.nan):
        assert len(np.unique(quantize(np.full((32, 32), value, np.float32)))) == 1


def test_a_thumbnail_shows_the_mask_with_a_margin() -> None:
    box, radius = 200, 40.0
    y, x = np.indices((box, box)) - box // 2
    disc = (np.hypot(x, y) < radius).astype(np.float32)
    thumb = thumbnails(disc[None], radius, side=110)[0]
    middle = thumb[55] > thumb[55].mean()
    # 2 × 40 px of the 2 × 44 px that are shown: 100 of 110 pixels, one lost to the edge on either side
    assert abs(int(middle.sum()) - 100) <= 2


def test_a_thumbnail_is_the_matrix_product_that_it_replaces() -> None:
    picture = np.random.default_rng(0).normal(size=(1, 90, 90)).astype(np.float32)
    for radius, side in ((45, 64), (20, 64), (45, 30)):  # as is, larger, smaller
        weights = resampling(90, 45, min(radius * MARGIN, 45), side)
        expected = quantize(weights @ picture[0] @ weights.T)
        difference = thumbnails(picture, radius, side=side)[0].astype(int) - expected.astype(int)
        assert np.abs(difference).max() <= 1  # a grey level, from the order of the sums


def test_a_thumbnail_never_reaches_outside_the_box() -> None:
    ramp = np.tile(np.arange(50, dtype=np.float32), (50, 1))
    thumb = thumbnails(ramp[None], 100.0, side=50)[0]
    assert len(np.unique(thumb[25])) > 40  # no repeated edge


def test_the_spectrum_of_a_wave_peaks_at_its_frequency_from_pixel_half_box() -> None:
    box, cycles = 64, 12
    wave = np.cos(2 * np.pi * cycles * np.arange(box) / box)
    spectrum = power_spectrum(np.tile(wave, (box, 1)).astype(np.float32))
    rows, columns = np.nonzero(spectrum == spectrum.max())
    assert {32 - cycles, 32 + cycles} <= set(columns.tolist())
    assert 32 in rows
    assert spectrum[32, 32 + cycles] > spectrum[32, 32 + cycles + 6]


def test_the_spectrum_of_nothing_is_nothing() -> None:
    assert power_spectrum(np.zeros((16, 16), np.float32)).max() == 0
