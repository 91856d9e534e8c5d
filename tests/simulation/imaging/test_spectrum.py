"""Fourier space: shells, ring correlation, contrast transfer with the numbers of the textbook."""

from __future__ import annotations

import numpy as np
import pytest

from cryofed.simulation.classes.truth import compare
from cryofed.simulation.imaging.spectrum import (
    Microscope,
    back,
    contrast,
    correlation,
    mean_transfer,
    power,
    spread,
    transform,
)


@pytest.mark.parametrize(("kilovolt", "picometre"), [(120, 3.35), (200, 2.51), (300, 1.97)])
def test_the_wavelength_is_that_of_the_textbook(kilovolt: float, picometre: float) -> None:
    found = Microscope(voltage_kv=kilovolt).wavelength_angstrom * 100
    assert found == pytest.approx(picometre, abs=0.01)


def test_contrast_starts_at_the_amplitude_contrast_and_first_vanishes_where_the_phase_is_half_a_turn() -> (
    None
):
    scope = Microscope(voltage_kv=300, aberration_mm=0.0, amplitude_contrast=0.1)
    assert contrast(scope, np.zeros(1), 1.0) == pytest.approx(0.1)
    # Without aberration: pi * wavelength * k^2 * defocus + asin(0.1) = pi
    first_zero = np.sqrt((1 - np.arcsin(0.1) / np.pi) / (scope.wavelength_angstrom * 1e4))
    assert contrast(scope, np.array([first_zero]), 1.0) == pytest.approx(0, abs=1e-9)


def test_the_mean_square_of_the_transfer_is_a_half_where_the_defocus_range_spans_many_turns() -> None:
    scope = Microscope(aberration_mm=0.0, defocus_um=(1.0, 3.0))
    _, squared = mean_transfer(scope, np.array([0.2]))
    assert squared == pytest.approx(0.5, abs=0.12)  # 24 defoci sample it


def test_a_transform_and_back_is_the_image_and_white_noise_has_equal_power_in_all_shells() -> None:
    noise = np.random.default_rng(0).standard_normal((3, 64, 64)).astype(np.float32)
    spectra = transform(noise)
    np.testing.assert_allclose(back(spectra, 64), noise, atol=1e-5)
    # 64² pixels of variance 1 give 64² in every coefficient; shell 10 has about 60 of them.
    assert power(spectra, 64)[:, 10:].mean() == pytest.approx(64**2, rel=0.05)


def test_an_image_correlates_with_itself_in_all_shells_and_with_noise_in_none() -> None:
    noise = np.random.default_rng(1).standard_normal((2, 64, 64)).astype(np.float32)
    spectra = transform(noise)
    np.testing.assert_allclose(correlation(spectra, spectra, 64), 1, atol=1e-5)
    assert np.abs(correlation(spectra[:1], spectra[1:], 64)[0, 8:]).mean() < 0.2  # 1 / sqrt(25) and less


def test_the_resolution_of_an_average_is_the_shell_where_its_signal_ends() -> None:
    rng = np.random.default_rng(2)
    truth = rng.standard_normal((1, 64, 64)).astype(np.float32)
    cut = np.where(np.arange(64) <= 12, 1.0, 0.0)
    noise = rng.standard_normal((1, 64, 64)).astype(np.float32)
    seen = back(transform(truth) * spread(cut, 64) + transform(noise) * spread(1 - cut, 64), 64)
    likeness, shell = compare(seen, truth, spread(cut, 64)[None], np.array([28.0]))
    assert shell[0] == pytest.approx(12.5, abs=1.5)  # the soft mask smears by about a shell
    assert likeness[0] > 0.97
