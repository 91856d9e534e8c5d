"""How clear the pictures of a job are, whatever a network says of them. NumPy only.

Where particles are aligned, their detail adds up and all else averages out: the particle is sharp and its
surroundings are flat. Where they are not, neither is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.job import Images
from cryofed.scoring.prepare import SIDE
from cryofed.scoring.sharpness import sharpness

Numbers = NDArray[np.float64]

COARSE = 6.0  # cycles across the picture: what is coarser counts, finer grain is `sharpness`
GRID = 32  # pixels, in which that is seen whole
INSIDE = 0.9  # of the radius: a mask's edge lies beyond
DARK, BRIGHT = 20, 98  # percent of the pixels inside that are darker: of the ground, of the particle
HALF = 0.5  # of the way from the one to the other the particle begins
NEAR = (3.0, 0.1)  # cycles, share: the blurred particle is above it up to about 5 of 64 pixels away
FEWEST = 32  # pixels of surroundings, a twentieth of all; of fewer the picture tells nothing
UNKNOWN = 3.5  # flatness of a picture that tells nothing: halfway
SHARP = 0.5  # weight of sharpness beside flatness


@dataclass(frozen=True, slots=True)
class Looks:
    """What n pictures of one job look like."""

    sharp: Numbers  # (n,) -0.5 to 3, as `sharpness` has it
    flat: Numbers  # (n,) as `flatness` has it

    @property
    def clear(self) -> float:
        """Of the whole job, by its medians; about 3.3 where all is junk and 4.8 where all is good."""
        return float(np.median(self.flat) + SHARP * np.median(self.sharp))


def looks(images: Images) -> Looks:
    """`(n, 64, 64)` prepared averages to what they look like."""
    return Looks(sharpness(images), flatness(images))


def flatness(images: Images) -> Numbers:
    """`(n, 64, 64)` prepared averages to `(n,)`: log2 of how far the particle stands above its surroundings.

    In deviations of the surroundings, both seen coarsely. Noise that was aligned, a neighbour and dirt leave
    lumps there. A picture without surroundings is `UNKNOWN`.
    """
    coarse = _on_grid(np.fft.rfft2(images)[:, _ROWS, : GRID // 2 + 1] * _SEEN)
    dark, bright = np.percentile(coarse[:, _INSIDE], [DARK, BRIGHT], axis=1)
    particle = (coarse > (dark + HALF * (bright - dark))[:, None, None]) & _INSIDE
    around = _INSIDE & (_on_grid(np.fft.rfft2(particle.astype(np.float32)) * _NEAR) <= NEAR[1])
    pixels = around.sum(axis=(1, 2))
    level = _mean(coarse, around)
    lumps = np.sqrt(_mean(np.square(coarse - level[:, None, None]), around))
    above = np.maximum(_mean(coarse, particle) - level, 1e-4) / np.maximum(lumps, 1e-4)
    result: Numbers = np.where(pixels >= FEWEST, np.log2(above), UNKNOWN)
    return result


def _mean(images: Images, where: NDArray[np.bool_]) -> Numbers:
    """`(n,)` means of some pixels; 0 where there are none."""
    total = np.asarray((images * where).sum(axis=(1, 2)), np.float64)
    result: Numbers = total / np.maximum(where.sum(axis=(1, 2)), 1)
    return result


def _on_grid(spectra: NDArray[np.complexfloating]) -> NDArray[np.float32]:
    """`(n, 32, 17)` spectra to `(n, 32, 32)` pictures."""
    return np.asarray(np.fft.irfft2(spectra, s=(GRID, GRID)), np.float32)


def _filters() -> tuple[NDArray[np.complex64], NDArray[np.float32]]:
    """From a picture's spectrum to the grid, whose pixels lie between the picture's; and the blur there."""
    y, x = (np.fft.fftfreq(GRID) * GRID)[:, None], np.arange(GRID // 2 + 1)[None, :]
    cycles, between = np.hypot(y, x), np.exp(1j * np.pi * (y + x) / SIDE)
    seen = np.exp(-np.square(cycles / COARSE)) * between * (GRID / SIDE) ** 2
    return seen.astype(np.complex64), np.exp(-np.square(cycles / NEAR[0])).astype(np.float32)


_ROWS = np.r_[: GRID // 2, SIDE - GRID // 2 : SIDE]  # of a spectrum: the coarse ones
_SEEN, _NEAR = _filters()
_AXIS = (np.arange(GRID) - (GRID - 1) / 2) / (GRID / 2)
_INSIDE = np.hypot(_AXIS[:, None], _AXIS[None, :]) < INSIDE
