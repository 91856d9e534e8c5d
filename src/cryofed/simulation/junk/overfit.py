"""Noise that becomes structure: images of pure noise aligned to their own average ("Einstein from noise")."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cryofed.simulation.imaging.projection import Image, circular_mask
from cryofed.simulation.imaging.spectrum import spread

RANDOM = np.random.Generator
TURNS = 12  # rotations tried; finer ones change little and cost time


def aligned_noise(box: int, radius_px: float, size_px: float, rng: RANDOM) -> Image:
    """The average of noise images after a few rounds of alignment to it, of deviation about 0.6.

    A start of a soft blob is enough: every noise image finds the shift and turn where it looks most like
    the average, and the average comes to look like something. At half resolution, then enlarged.
    """
    small = max(24, box // 2 // 2 * 2)
    scale = small / box
    count = int(rng.integers(16, 41))
    s = np.arange(small, dtype=np.float64)
    cut = small / max(size_px * scale * rng.uniform(0.09, 0.3), 2.2)
    weight = spread(np.exp(-np.power(s / cut, 4)), small)
    noise = fft.rfft2(rng.standard_normal((count, small, small)).astype(np.float32)) * weight
    # Turned copies of the noise by quarters are exact; the rest come from turning the reference.
    mask = circular_mask(small, radius_px * scale * rng.uniform(0.5, 1), 2)
    average = _start(small, size_px * scale, rng)
    for _ in range(int(rng.integers(2, 5))):
        average = _round(noise, average * mask, small) * mask
    enlarged: NDArray[np.float32] = _enlarge(average, box)
    return np.asarray(0.6 * enlarged / max(float(enlarged.std()), 1e-9), np.float32)


def _start(small: int, size: float, rng: RANDOM) -> NDArray[np.float32]:
    axis = np.arange(small) - small // 2
    reach = max(size * rng.uniform(0.2, 0.5), 2)
    soft = np.exp(-0.5 * (axis[:, None] ** 2 + (axis[None, :] * rng.uniform(1, 1.6)) ** 2) / reach**2)
    return np.asarray(soft + 0.3 * rng.standard_normal((small, small)) * soft, np.float32)


def _round(noise: NDArray[np.complex64], average: NDArray[np.float32], small: int) -> NDArray[np.float32]:
    """One round: each image takes the best of all shifts and TURNS turns, and is added there."""
    turned = np.stack([_turn(average, 2 * np.pi * t / TURNS) for t in range(TURNS)])
    reference = np.conj(fft.rfft2(np.fft.ifftshift(turned, axes=(1, 2))))
    match = fft.irfft2(noise[:, None] * reference[None], s=(small, small))
    flat = match.reshape(len(noise), TURNS, -1)
    best_shift = flat.argmax(axis=2)
    best_turn = np.take_along_axis(flat, best_shift[..., None], 2)[..., 0].argmax(axis=1)
    images = fft.irfft2(noise, s=(small, small)).astype(np.float32)
    total = np.zeros((small, small), np.float32)
    for i, turn in enumerate(best_turn):
        y, x = divmod(int(best_shift[i, turn]), small)
        centred = np.roll(images[i], (small // 2 - y, small // 2 - x), axis=(0, 1))
        total += _turn(centred, -2 * np.pi * turn / TURNS)
    return np.asarray(total / len(noise), np.float32)


def _turn(image: NDArray[np.float32], angle: float) -> NDArray[np.float32]:
    """Nearest-pixel turn: enough for noise that is low-pass filtered already."""
    small = len(image)
    axis = np.arange(small) - small // 2
    c, s = np.cos(angle), np.sin(angle)
    x = np.rint(c * axis[None, :] + s * axis[:, None]).astype(np.int64) + small // 2
    y = np.rint(-s * axis[None, :] + c * axis[:, None]).astype(np.int64) + small // 2
    return np.asarray(image[np.clip(y, 0, small - 1), np.clip(x, 0, small - 1)], np.float32)


def _enlarge(image: NDArray[np.float32], box: int) -> NDArray[np.float32]:
    """Fourier zero-padding from `len(image)` to `box`."""
    small = len(image)
    spectrum = np.fft.fftshift(fft.fft2(np.fft.ifftshift(image)))
    larger = np.zeros((box, box), np.complex64)
    start = box // 2 - small // 2
    larger[start : start + small, start : start + small] = spectrum
    result: NDArray[np.float32] = np.fft.fftshift(fft.ifft2(np.fft.ifftshift(larger))).real.astype(np.float32)
    return result
