"""Show a prepared average as another lab's software might: turned, moved, cropped, of another grey scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from cryofed.scoring.prepare import CLIP, SIDE, circle

OCTAVES = 6  # of cycles across the picture: 1, 2, 4, 8, 16, 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Ranges and shares of each change. A share is the part of the averages that it happens to."""

    zoom: tuple[float, float] = (0.7, 1.4)  # 1 / crop: the mask diameter that another user would type
    shift_px: float = 2.0
    interpolated: float = 0.75  # the rest only takes quarter turns, and stays as sharp as when scored
    rim: float = 0.3  # a mask's edge drawn inside the picture
    gamma: tuple[float, float] = (0.75, 1.35)
    regraded: float = 0.4  # gamma or 8 bit
    blurred: float = 0.2
    filtered: float = 0.5  # amplitudes changed smoothly with resolution: what each program filters otherwise
    gain: float = 0.5  # deviation of the natural logarithm of an amplitude's change


def augmented(images: Tensor, rng: np.random.Generator, changes: Augmentation, side: int = SIDE) -> Tensor:
    """`(n, s, s)` averages, s at least `side`, to new `(n, side, side)` views, normalized as when scored.

    The middle `side` pixels are the average at crop 1; what lies around them lets a view zoom out.
    """
    n = len(images)
    moved = rng.random(n) < changes.interpolated
    result = torch.empty((n, side, side))
    if moved.any():
        result[moved] = _moved(images[moved], rng, changes, side)
    if not moved.all():
        result[~moved] = _quarter_turned(middle(images[~moved], side), rng)
    soft = rng.random(n) < changes.blurred
    if soft.any():
        result[soft] = blurred(result[soft], float(rng.uniform(0.3, 0.9)))
    regraded = rng.random(n) < changes.regraded
    if regraded.any():
        result[regraded] = _regraded(result[regraded], rng, changes)
    rimmed = rng.random(n) < changes.rim
    if rimmed.any():
        result[rimmed] = _rimmed(result[rimmed], rng)
    filtered = rng.random(n) < changes.filtered
    if filtered.any():
        result[filtered] = _filtered(normalized(result[filtered]), rng, changes.gain)
    return normalized(result)


def middle(images: Tensor, side: int = SIDE) -> Tensor:
    """The middle `side` pixels."""
    first = max(0, (images.shape[-1] - side) // 2)  # smaller images stay whole
    return images[:, first : first + side, first : first + side]


def normalized(images: Tensor) -> Tensor:
    """What `scoring.prepare.normalize` does, in torch."""
    inside = torch.from_numpy(circle(images.shape[-1]).astype(np.float32))
    count = inside.sum()
    mean = (images * inside).sum((1, 2), keepdim=True) / count
    centred = (images - mean) * inside
    deviation = (centred.square().sum((1, 2), keepdim=True) / count).sqrt()
    return (centred / deviation.clamp_min(1e-6)).clamp(*CLIP) * inside


def _moved(images: Tensor, rng: np.random.Generator, changes: Augmentation, side: int) -> Tensor:
    n, wide = len(images), images.shape[-1]
    angle = rng.uniform(0, 2 * np.pi, n)
    low, high = np.log(changes.zoom)
    scale = np.exp(-rng.uniform(low, high, n)) * side / wide
    mirror = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    shift = rng.normal(0, changes.shift_px / 2, (n, 2)) * 2 / wide
    affine = np.zeros((n, 2, 3), np.float32)
    affine[:, 0] = np.stack([scale * np.cos(angle) * mirror, -scale * np.sin(angle), shift[:, 0]], 1)
    affine[:, 1] = np.stack([scale * np.sin(angle) * mirror, scale * np.cos(angle), shift[:, 1]], 1)
    grid = nn.functional.affine_grid(torch.from_numpy(affine), [n, 1, side, side], align_corners=False)
    return nn.functional.grid_sample(images[:, None], grid, align_corners=False)[:, 0]


def _quarter_turned(images: Tensor, rng: np.random.Generator) -> Tensor:
    turned = torch.rot90(images, int(rng.integers(4)), (1, 2))
    return turned.flip(2) if rng.integers(2) else turned


def blurred(images: Tensor, sigma_px: float) -> Tensor:
    """A Gaussian blur."""
    axis = torch.arange(-2, 3, dtype=torch.float32)
    kernel = torch.exp(-(axis**2) / (2 * sigma_px**2))
    kernel = (kernel / kernel.sum()).reshape(1, 1, 1, 5)
    across = nn.functional.conv2d(images[:, None], kernel, padding=(0, 2))
    return nn.functional.conv2d(across, kernel.transpose(2, 3), padding=(2, 0))[:, 0]


def _regraded(images: Tensor, rng: np.random.Generator, changes: Augmentation) -> Tensor:
    n = len(images)
    low, high = images.amin((1, 2), keepdim=True), images.amax((1, 2), keepdim=True)
    span = (high - low).clamp_min(1e-6)
    gamma = np.exp(rng.uniform(np.log(changes.gamma[0]), np.log(changes.gamma[1]), n)).astype(np.float32)
    graded = ((images - low) / span) ** torch.from_numpy(gamma)[:, None, None]
    return torch.round(graded * 255)


def _filtered(images: Tensor, rng: np.random.Generator, gain: float) -> Tensor:
    """Each picture through a filter of its own: a gain for every octave, straight between them."""
    n, side = images.shape[:2]
    y, x = np.fft.fftfreq(side) * side, np.arange(side // 2 + 1)
    octave = np.log2(np.hypot(y[:, None], x[None, :]) + 0.5)
    knots = np.log2(2.0 ** np.arange(OCTAVES) + 0.5)
    gains = np.stack([np.interp(octave, knots, gain_at) for gain_at in rng.normal(0, gain, (n, OCTAVES))])
    spectra = torch.fft.rfft2(images) * torch.from_numpy(np.exp(gains).astype(np.float32))
    filtered: Tensor = torch.fft.irfft2(spectra, s=(side, side))
    return filtered


def _rimmed(images: Tensor, rng: np.random.Generator) -> Tensor:
    n, side = images.shape[:2]
    axis = torch.arange(side) - (side - 1) / 2
    radius = torch.hypot(axis[:, None], axis[None, :])
    edge = torch.from_numpy(rng.uniform(0.82, 1.0, (n, 1, 1)).astype(np.float32)) * side / 2
    width = torch.from_numpy(rng.uniform(1, 6, (n, 1, 1)).astype(np.float32))
    inside = ((edge - radius) / width).clamp(0, 1)
    weight = inside.sum((1, 2), keepdim=True).clamp_min(1)
    mean = (images * inside).sum((1, 2), keepdim=True) / weight
    return mean + (images - mean) * inside
