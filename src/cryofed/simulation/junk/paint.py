"""Brushes for junk: blobs, fields of speckle, discs, half-planes; pictures with particle brightness 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryofed.simulation.imaging.projection import Image, radial
from cryofed.simulation.imaging.spectrum import back, spread, transform

RANDOM = np.random.Generator


def axes(box: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """x `(1, box)` and y `(box, 1)` in pixels from the centre."""
    axis = np.arange(box, dtype=np.float32) - box // 2
    return axis[None, :], axis[:, None]


def blob(
    box: int, at: tuple[float, float], radii: tuple[float, float], angle: float, sharpness: float = 2.0
) -> Image:
    """An ellipse at (x, y) px; `sharpness` 2 is a Gaussian, more has a flat top and a steep rim."""
    x, y = axes(box)
    c, s = np.cos(angle), np.sin(angle)
    u = ((x - at[0]) * c + (y - at[1]) * s) / radii[0]
    v = (-(x - at[0]) * s + (y - at[1]) * c) / radii[1]
    return np.asarray(np.exp(-0.7 * np.power(u * u + v * v, sharpness / 2)), np.float32)


def ball(box: int, at: tuple[float, float], radius: float) -> Image:
    """The projection of a solid sphere (gold, ethane): a flat-topped disc with a sharp rim."""
    x, y = axes(box)
    squared = ((x - at[0]) ** 2 + (y - at[1]) ** 2) / radius**2
    return np.power(np.clip(1 - squared, 0, 1), 0.35).astype(np.float32)


def field(box: int, rng: RANDOM, shell: float, width: float) -> Image:
    """A random field of deviation 1 with its power near `shell` cycles per box (0: low-pass)."""
    s = np.arange(box, dtype=np.float64)
    profile = np.exp(-0.5 * np.square((s - shell) / max(width, 0.5)))
    profile[0] = 0
    white = rng.standard_normal((box, box)).astype(np.float32)
    image = back(transform(white) * spread(profile, box), box)
    return image / max(float(image.std()), 1e-9)


def streaks(box: int, rng: RANDOM, harmonics: int) -> Image:
    """Rays from the centre: a random function of the angle, as over-fitted rotations leave."""
    x, y = axes(box)
    angle = np.arctan2(y, x)
    strength = rng.standard_normal(harmonics) * np.exp(-np.arange(harmonics) / (0.6 * harmonics))
    phase = rng.uniform(0, 2 * np.pi, harmonics)
    table = np.linspace(-np.pi, np.pi, 721)
    curve = sum(a * np.cos(k * table + p) for k, (a, p) in enumerate(zip(strength, phase, strict=True), 1))
    rays = np.interp(angle, table, curve).astype(np.float32)
    near = radial(box) / (0.5 * box)
    return np.asarray(rays / max(float(rays.std()), 1e-9) * (1 - np.exp(-near / 0.08)), np.float32)


def rings(box: int, rng: RANDOM, step: float) -> Image:
    """Concentric rings about `step` px wide."""
    r = radial(box)
    edge = np.arange(0, 0.75 * box + step, step)
    return np.interp(r, edge, rng.standard_normal(len(edge))).astype(np.float32)


def half_plane(box: int, angle: float, offset: float, softness: float) -> Image:
    """1 on one side of a line `offset` px from the centre, 0 on the other."""
    x, y = axes(box)
    distance = x * np.cos(angle) + y * np.sin(angle) - offset
    return np.asarray(1 / (1 + np.exp(-np.clip(distance / softness, -30, 30))), np.float32)


def polygon(box: int, at: tuple[float, float], radius: float, corners: int, rng: RANDOM) -> Image:
    """A soft convex polygon: a crystal of ice."""
    x, y = axes(box)
    inside = np.ones((box, box), np.float32)
    start = rng.uniform(0, 2 * np.pi)
    for i in range(corners):
        angle = start + 2 * np.pi * i / corners + rng.normal(0, 0.15)
        distance = (x - at[0]) * np.cos(angle) + (y - at[1]) * np.sin(angle)
        reach = radius * rng.uniform(0.6, 1.1)
        inside = np.minimum(inside, 1 / (1 + np.exp(np.clip((distance - reach) / 1.2, -30, 30))))
    return inside.astype(np.float32)


def softened(image: Image, sigma_px: float) -> Image:
    """The picture blurred by a Gaussian."""
    box = len(image)
    shell = np.arange(box, dtype=np.float64)
    kernel = np.exp(-2 * np.square(np.pi * sigma_px * shell / box))
    return back(transform(image) * spread(kernel, box), box)


def radial_mean(image: Image) -> Image:
    """Every pixel replaced by the mean at its distance from the centre."""
    distance = np.round(radial(len(image))).astype(np.int64)
    sums = np.bincount(distance.ravel(), image.ravel()) / np.bincount(distance.ravel())
    return np.asarray(np.interp(radial(len(image)), np.arange(len(sums)), sums), np.float32)


def centred(rng: RANDOM, reach: float) -> tuple[float, float]:
    """Nearly in the centre in 7 of 10 cases, as alignment puts a bright thing; else within `reach` px."""
    return spot(rng, 0.15 * reach) if rng.random() < 0.7 else spot(rng, reach)


def spot(rng: RANDOM, reach: float) -> tuple[float, float]:
    """A point uniformly within `reach` px of the centre."""
    radius, angle = reach * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
    return float(radius * np.cos(angle)), float(radius * np.sin(angle))


def rim(rng: RANDOM, radius: float) -> tuple[float, float]:
    """A point at `radius` px from the centre."""
    angle = rng.uniform(0, 2 * np.pi)
    return float(radius * np.cos(angle)), float(radius * np.sin(angle))
