"""Junk that is something else: gold, ice, dirt, the carbon's edge, bright rims."""

from __future__ import annotations

import numpy as np

from cryofed.simulation.imaging.projection import Image
from cryofed.simulation.junk.paint import ball, blob, centred, field, half_plane, polygon, rim, softened, spot
from cryofed.simulation.scene import RANDOM, Scene


def disc(scene: Scene, rng: RANDOM) -> Image:
    """Gold beads or ethane drops: one to four bright discs, and faint ones of other micrographs."""
    image = np.zeros((scene.box, scene.box), np.float32)
    for i in range(int(rng.choice([1, 1, 1, 2, 2, 3, 4]))):
        radius = scene.radius * np.exp(rng.uniform(np.log(0.07), np.log(0.62)))
        bright = np.float32(rng.uniform(2, 9) if rng.random() < 0.6 else rng.uniform(0.4, 2))
        at = centred(rng, scene.radius) if i == 0 else spot(rng, 0.95 * scene.radius)
        image += bright * ball(scene.box, at, radius)
    return image


def ice(scene: Scene, rng: RANDOM) -> Image:
    """Crystalline ice or contamination: an angular patch with a mottled inside."""
    at = centred(rng, 0.6 * scene.radius)
    patch = polygon(scene.box, at, scene.radius * rng.uniform(0.4, 1.0), int(rng.integers(4, 8)), rng)
    shell = scene.box / (scene.radius * rng.uniform(0.15, 0.7))
    mottle = 1 + np.float32(rng.uniform(0.1, 0.5)) * field(scene.box, rng, 0, shell)
    return np.asarray(patch * mottle * rng.uniform(0.8, 4), np.float32)


def smear(scene: Scene, rng: RANDOM) -> Image:
    """A long soft streak across the picture."""
    width = scene.radius * rng.uniform(0.08, 0.35)
    long = scene.radius * rng.uniform(0.6, 1.8)
    angle = rng.uniform(0, np.pi)
    image = blob(scene.box, spot(rng, 0.5 * scene.radius), (long, width), angle) * np.float32(
        rng.uniform(0.5, 2.5)
    )
    if rng.random() < 0.5:
        other = blob(
            scene.box, spot(rng, 0.8 * scene.radius), (0.7 * long, width), angle + rng.normal(0, 0.5)
        )
        image = image + other * np.float32(rng.uniform(0.3, 1.5))
    return image.astype(np.float32)


def lump(scene: Scene, rng: RANDOM) -> Image:
    """A bright featureless blob of the particle's size: ellipses and soft-edged crystals run together."""
    size = 0.5 * scene.first_size * rng.uniform(0.45, 1.2)
    image = np.zeros((scene.box, scene.box), np.float32)
    angle = rng.uniform(0, np.pi)
    for i in range(int(rng.integers(1, 4))):
        at = spot(rng, 0.2 * size) if i == 0 else spot(rng, 1.2 * size)
        bright = np.float32(rng.uniform(0.8, 3) * (1 if i == 0 else rng.uniform(0.2, 1)))
        if rng.random() < 0.45:
            corners = int(rng.integers(3, 7))
            image += bright * polygon(scene.box, at, size * rng.uniform(0.4, 1.0), corners, rng)
        else:
            radii = (size * rng.uniform(0.5, 1.1), size * rng.uniform(0.35, 0.8))
            image += bright * blob(scene.box, at, radii, angle + rng.normal(0, 0.6), rng.uniform(2, 7))
    # A dim shoulder at its side, as real ones have.
    reach = (size * rng.uniform(0.5, 1.0), size * rng.uniform(0.35, 0.8))
    side = rim(rng, size * rng.uniform(0.5, 1.2))
    image += np.float32(rng.uniform(0.15, 0.6)) * blob(scene.box, side, reach, rng.uniform(0, np.pi), 3)
    return softened(image, size * rng.uniform(0.04, 0.35))


def carbon(scene: Scene, rng: RANDOM) -> Image:
    """The edge of the carbon film: a bright, granular side and a Fresnel fringe."""
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.75, 0.75) * scene.radius
    soft = rng.uniform(0.6, 3)
    film = half_plane(scene.box, angle, offset, soft)
    fringe = film - half_plane(scene.box, angle, offset + scene.radius * rng.uniform(0.05, 0.3), soft * 1.5)
    shell = scene.box / (scene.radius * rng.uniform(0.08, 0.3))
    grain = field(scene.box, rng, shell, shell * 0.5) * np.float32(rng.uniform(0.05, 0.35))
    image = film * (rng.uniform(0.5, 1.6) + grain) + fringe * rng.uniform(0, 1.6)
    return np.asarray(image * rng.uniform(0.5, 2), np.float32)


def bright_edge(scene: Scene, rng: RANDOM) -> Image:
    """A bright patch cut by the rim of the mask: a neighbour or the edge of something larger."""
    image = np.zeros((scene.box, scene.box), np.float32)
    for _ in range(int(rng.choice([1, 1, 2]))):
        at = rim(rng, scene.radius * rng.uniform(0.7, 1.05))
        radii = (scene.radius * rng.uniform(0.14, 0.5), scene.radius * rng.uniform(0.12, 0.4))
        bright = np.float32(rng.uniform(0.5, 1.8))
        image += bright * blob(scene.box, at, radii, np.arctan2(at[1], at[0]) + np.pi / 2, rng.uniform(2, 5))
    return image


def edge_and_blob(scene: Scene, rng: RANDOM) -> Image:
    """A bright rim with a faint blob in the middle."""
    reach = 0.5 * scene.first_size * rng.uniform(0.3, 0.8)
    middle = blob(
        scene.box, spot(rng, 0.2 * scene.radius), (reach, reach * rng.uniform(0.5, 1)), rng.uniform(0, 3)
    )
    return np.asarray(bright_edge(scene, rng) + middle * rng.uniform(0.2, 0.8), np.float32)
