"""Junk that is noise: plain, over-fitted, or aligned to itself."""

from __future__ import annotations

import numpy as np

from cryofed.simulation.imaging.projection import Image, radial
from cryofed.simulation.junk.objects import bright_edge
from cryofed.simulation.junk.overfit import aligned_noise
from cryofed.simulation.junk.paint import blob, field, rings, spot, streaks
from cryofed.simulation.scene import RANDOM, Scene


def noise(scene: Scene, rng: RANDOM) -> Image:
    """Nothing: the average shows the noise that it was fitted to."""
    return np.zeros((scene.box, scene.box), np.float32)


def speckle(scene: Scene, rng: RANDOM) -> Image:
    """Fine grain of one spacing (hexagonal speckle), often stronger inside an envelope or over a blob."""
    spacing = scene.first_size * np.exp(rng.uniform(np.log(0.05), np.log(0.24)))
    shell = min(scene.box / max(spacing, 2.2), 0.48 * scene.box)
    image = field(scene.box, rng, shell, shell * rng.uniform(0.1, 0.45)) * np.float32(rng.uniform(0.25, 1.0))
    kind = rng.random()
    if kind < 0.35:
        at = spot(rng, 0.25 * scene.radius)
        reach = scene.radius * rng.uniform(0.35, 1.0)
        image = image * blob(scene.box, at, (reach, reach * rng.uniform(0.6, 1)), rng.uniform(0, 3), 3)
    elif kind < 0.45:
        image = image * (0.2 + radial(scene.box) / scene.radius)
    if rng.random() < 0.45:
        reach = scene.radius * rng.uniform(0.25, 0.7)
        lump = blob(
            scene.box, spot(rng, 0.2 * scene.radius), (reach, reach * rng.uniform(0.5, 1)), rng.uniform(0, 3)
        )
        image = image * rng.uniform(0.5, 1) + lump * np.float32(rng.uniform(0.15, 0.9))
    if rng.random() < 0.25:
        image = image + bright_edge(scene, rng) * np.float32(rng.uniform(0.3, 1))
    return image.astype(np.float32)


def clump(scene: Scene, rng: RANDOM) -> Image:
    """Dots crowded under a soft envelope: noise that was aligned to a blob, particle-like at first sight."""
    size = scene.first_size
    dot = size * rng.uniform(0.025, 0.07)
    reach = size * rng.uniform(0.2, 0.5)
    squeeze = rng.uniform(0.55, 1)
    angle = rng.uniform(0, np.pi)
    image = np.zeros((scene.box, scene.box), np.float32)
    for _ in range(int(rng.integers(6, 32))):
        u, v = rng.normal(0, 0.5, 2) * reach * np.array([1, squeeze])
        at = (u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle))
        width = dot * np.exp(rng.normal(0, 0.25))
        image += np.float32(rng.uniform(0.3, 1)) * blob(
            scene.box, at, (width, width * rng.uniform(0.6, 1)), angle
        )
    envelope = blob(scene.box, (0, 0), (reach, reach * squeeze), angle)
    back_ground = 0.3 * speckle(scene, rng) * np.float32(rng.uniform(0, 0.7))
    return np.asarray(image + envelope * np.float32(rng.uniform(0.1, 0.8)) + back_ground, np.float32)


def self_aligned(scene: Scene, rng: RANDOM) -> Image:
    """Pure noise that was really aligned to itself for a few iterations."""
    return aligned_noise(scene.box, scene.radius, scene.first_size, rng)


def ray(scene: Scene, rng: RANDOM) -> Image:
    """Radial streaks."""
    rays = streaks(scene.box, rng, int(rng.integers(6, 36))) * np.float32(rng.uniform(0.2, 0.6))
    reach = scene.radius * rng.uniform(0.15, 0.6)
    middle = blob(scene.box, (0, 0), (reach, reach), 0) * np.float32(rng.uniform(0, 1))
    fade = np.exp(-radial(scene.box) / scene.radius * rng.uniform(0, 2.5))
    return np.asarray(rays * fade + middle, np.float32)


def ring(scene: Scene, rng: RANDOM) -> Image:
    """Concentric rings with some speckle."""
    size = scene.first_size
    rounds = rings(scene.box, rng, size * rng.uniform(0.05, 0.2)) * np.float32(rng.uniform(0.2, 0.8))
    fade = np.exp(-np.square(radial(scene.box) / (scene.radius * rng.uniform(0.4, 1.2))))
    return np.asarray(rounds * fade + 0.4 * speckle(scene, rng) * np.float32(rng.uniform(0, 1)), np.float32)
