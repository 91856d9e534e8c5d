"""How far the finest detail of an average stands above the grain around it, beside its job. NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.job import Images
from cryofed.scoring.prepare import SIDE

FINEST = (10.0, 26.0)  # cycles across the picture
COARSE = 5.0  # cycles across the picture: what is left finds the particle
INSIDE = 0.9  # of the radius: where the particle may be
AROUND = (0.75, 0.95)  # of the radius: mostly solvent
LEAST = 1e-4  # of a picture of deviation 1: what lies below is rounding
WEIGHT = 1.0  # on the logit; left-out molecules hardly tell 0.8 from 1.3 (docs/model.md)
LIMIT = 1.0  # of what counts beside the job: a view unlike the others stays a good view
DULL = 0.5  # up to here nothing counts as sharp, not even in a job of blurs


def sharpness(images: Images) -> NDArray[np.float64]:
    """`(n, 64, 64)` prepared averages to `(n,)` numbers from -0.5 to 3.

    Half the log2 of the finest power in the particle over that around it. Aligned particles show detail that
    their surroundings lack; noise that was fitted shows as much around as inside. What is usual depends on
    the molecule and the program: a class counts by its distance from its job (`beside_job`), and a job by
    its median among what `looks` tells.
    """
    spectra = np.fft.rfft2(images)
    finest = np.square(np.fft.irfft2(spectra * _BAND, s=(SIDE, SIDE)).astype(np.float32))
    particle = np.maximum(np.fft.irfft2(spectra * _LOW, s=(SIDE, SIDE)).astype(np.float32), 0) * _INSIDE
    particle /= np.maximum(particle.sum(axis=(1, 2), keepdims=True), 1e-9)
    within = np.asarray((finest * particle).sum(axis=(1, 2)), np.float64) + LEAST
    around = np.asarray((finest * _AROUND).sum(axis=(1, 2)), np.float64) + LEAST
    result: NDArray[np.float64] = np.clip(np.log2(within / around), -1, 6) / 2
    return result


def beside_job(sharp: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(n,)` sharpness of one job's classes to the distance from what is usual there, clipped to ± `LIMIT`.

    Usual is the job's median; where that is dull, all from the median to `DULL`.
    """
    usual = np.median(sharp)
    result: NDArray[np.float64] = np.clip(sharp - np.clip(sharp, usual, max(usual, DULL)), -LIMIT, LIMIT)
    return result


def _filters() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The finest band with edges half a cycle soft, and a low pass."""
    y, x = np.fft.fftfreq(SIDE) * SIDE, np.arange(SIDE // 2 + 1)
    cycles = np.hypot(y[:, None], x[None, :])
    low, high = FINEST
    band = 1 / (1 + np.exp((low - cycles) / 0.5)) / (1 + np.exp((cycles - high) / 0.5))
    return band.astype(np.float32), np.exp(-np.square(cycles / COARSE)).astype(np.float32)


def _rings() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    axis = np.arange(SIDE) - (SIDE - 1) / 2
    radius = np.hypot(axis[:, None], axis[None, :]) / (SIDE / 2)
    ring = (radius > AROUND[0]) & (radius < AROUND[1])
    return (radius < INSIDE).astype(np.float32), (ring / ring.sum()).astype(np.float32)


_BAND, _LOW = _filters()
_INSIDE, _AROUND = _rings()
