"""Fourier space of class averages: shells, power, correlation by shell, the microscope's transfer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cryofed.jobs.job import Images

Spectra = NDArray[np.complex64]  # (n, box, box // 2 + 1)
Curves = NDArray[np.float64]  # (n, shells), shell s is s cycles per box


@lru_cache(maxsize=16)
def shells(box: int) -> NDArray[np.int64]:
    """Shell number of every coefficient of a real transform, `(box, box // 2 + 1)`."""
    y, x = np.fft.fftfreq(box) * box, np.arange(box // 2 + 1)
    return np.asarray(np.round(np.hypot(y[:, None], x[None, :])), np.int64)


def transform(images: Images) -> Spectra:
    """Real transform of each image."""
    spectra: Spectra = fft.rfft2(np.asarray(images, np.float32))
    return spectra


def back(spectra: NDArray[np.complexfloating], box: int) -> Images:
    """Images of real transforms."""
    images: Images = fft.irfft2(spectra, s=(box, box)).astype(np.float32)
    return images


def spread(curves: Curves, box: int) -> NDArray[np.float32]:
    """Curves over shells as filters over coefficients; beyond the last shell the last value holds."""
    which = np.minimum(shells(box), curves.shape[-1] - 1)
    return curves.astype(np.float32)[..., which]


def power(spectra: Spectra, box: int) -> Curves:
    """Mean squared amplitude in each shell up to Nyquist, `(n, box // 2 + 1)`."""
    squared = np.square(spectra.real) + np.square(spectra.imag)
    return _by_shell(squared, box)


def correlation(first: Spectra, second: Spectra, box: int) -> Curves:
    """Fourier ring correlation of each pair of images, `(n, box // 2 + 1)`."""
    cross = first.real * second.real + first.imag * second.imag
    norm = np.sqrt(power(first, box) * power(second, box))
    result: Curves = _by_shell(cross, box) / np.maximum(norm, 1e-30)
    return result


def _by_shell(values: NDArray[np.floating], box: int) -> Curves:
    which = shells(box).ravel()
    count = box // 2 + 1
    kept = which < count
    # Coefficients of column 0 (and the last one) stand once, all others twice; the mean hardly differs.
    number = np.bincount(which[kept], minlength=count)
    flat = values.reshape(len(values), -1)
    sums = [np.bincount(which[kept], row[kept], count) for row in flat]
    result: Curves = np.stack(sums) / np.maximum(number, 1)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Microscope:
    """Voltage in kV, spherical aberration in mm, defocus range in µm, share of amplitude contrast."""

    voltage_kv: float = 300.0
    aberration_mm: float = 2.7
    defocus_um: tuple[float, float] = (0.8, 2.2)
    amplitude_contrast: float = 0.1

    @property
    def wavelength_angstrom(self) -> float:
        """Relativistic electron wavelength."""
        volts = self.voltage_kv * 1000
        return float(12.2643 / np.sqrt(volts + 0.97845e-6 * volts**2))


def contrast(scope: Microscope, frequency: NDArray[np.float64], defocus_um: float) -> NDArray[np.float64]:
    """Contrast transfer at `frequency` in 1/Å, positive at low frequency (protein bright).

    Source: Rohou & Grigorieff 2015 (CTFFIND4), without astigmatism.
    """
    wavelength = scope.wavelength_angstrom
    squared = np.square(frequency)
    phase = (
        np.pi
        * wavelength
        * squared
        * (defocus_um * 1e4 - 0.5 * wavelength**2 * squared * scope.aberration_mm * 1e7)
    )
    result: NDArray[np.float64] = np.sin(phase + np.arcsin(scope.amplitude_contrast))
    return result


def mean_transfer(
    scope: Microscope, frequency: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of |CTF| and of CTF² over the defocus range, at each frequency."""
    curves = np.stack([contrast(scope, frequency, d) for d in np.linspace(*scope.defocus_um, 24)])
    return np.abs(curves).mean(axis=0), np.square(curves).mean(axis=0)
