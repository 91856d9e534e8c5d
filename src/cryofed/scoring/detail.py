"""How sharp an average is: fine detail beside its coarse shape and beside the grain around it. NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.job import Images
from cryofed.scoring.prepare import SIDE

DETAIL = (
    "fine",  # log2 of fine over coarse power in the particle, halved
    "finest",  # the same of still finer detail
    "fine_above_grain",  # log2 of fine power in the particle over that around it, halved
    "finest_above_grain",
    "grain",  # log2 of the finest power around the particle over the coarse in it, a third
)
BANDS = ((1.5, 6.0), (6.0, 16.0), (10.0, 26.0))  # cycles across the picture: coarse, fine, finest
AROUND = (0.75, 0.95)  # of the radius: mostly solvent
LEAST = 1e-4  # of a picture of deviation 1: what lies below is rounding


def detail(images: Images) -> NDArray[np.float64]:
    """`(n, 64, 64)` prepared averages to `(n, len(DETAIL))` scale-free numbers.

    A blurred class has little fine power for its coarse one although the noise would let it show; a class
    of few particles has as much around it as in it. What is usual depends on the molecule and the program,
    so these numbers are compared within a job only.
    """
    spectra = np.fft.rfft2(images)
    coarse, fine, finest = (np.square(_filtered(spectra, band)) for band in _FILTERS[1:])
    particle = np.maximum(_filtered(spectra, _FILTERS[0]), 0) * _INSIDE
    particle /= np.maximum(particle.sum(axis=(1, 2), keepdims=True), 1e-9)

    def within(power: Images) -> NDArray[np.float64]:
        return np.asarray((power * particle).sum(axis=(1, 2)), np.float64) + LEAST

    def around(power: Images) -> NDArray[np.float64]:
        return np.asarray((power * _RING).sum(axis=(1, 2)), np.float64) + LEAST

    shape = within(coarse)
    columns = [
        np.log2(within(fine) / shape) / 2,
        np.log2(within(finest) / shape) / 2,
        np.clip(np.log2(within(fine) / around(fine)), -1, 6) / 2,
        np.clip(np.log2(within(finest) / around(finest)), -1, 6) / 2,
        np.clip(np.log2(around(finest) / shape), -12, 0) / 3,
    ]
    return np.stack(columns, axis=1)


def _filtered(spectra: NDArray[np.complexfloating], weights: NDArray[np.float32]) -> Images:
    return np.fft.irfft2(spectra * weights, s=(SIDE, SIDE)).astype(np.float32)


def _filters() -> list[NDArray[np.float32]]:
    """A low pass that finds the particle, then each band with edges half a cycle soft."""
    y, x = np.fft.fftfreq(SIDE) * SIDE, np.arange(SIDE // 2 + 1)
    cycles = np.hypot(y[:, None], x[None, :])
    bands = [
        1 / (1 + np.exp((low - cycles) / 0.5)) / (1 + np.exp((cycles - high) / 0.5)) for low, high in BANDS
    ]
    return [np.asarray(f, np.float32) for f in (np.exp(-np.square(cycles / 5)), *bands)]


def _rings() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    axis = np.arange(SIDE) - (SIDE - 1) / 2
    radius = np.hypot(axis[:, None], axis[None, :]) / (SIDE / 2)
    ring = (radius > AROUND[0]) & (radius < AROUND[1])
    return (radius < 0.9).astype(np.float32), (ring / ring.sum()).astype(np.float32)


_FILTERS = _filters()
_INSIDE, _RING = _rings()
