"""Junk made of particles: cut off, blurred, broken, run together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cryofed.simulation.imaging.projection import Image, radial
from cryofed.simulation.junk.noise import speckle
from cryofed.simulation.junk.paint import blob, radial_mean, rim, softened, spot
from cryofed.simulation.molecules.molecule import Molecule, random_turn
from cryofed.simulation.scene import RANDOM, Scene, view_of


def corner(scene: Scene, rng: RANDOM) -> Image:
    """One or two neighbours at the rim, cut by it; nothing in the middle."""
    molecule = scene.any_molecule(rng)
    image = np.zeros((scene.box, scene.box), np.float32)
    for _ in range(int(rng.choice([1, 1, 2]))):
        image += _loose(scene, rng, molecule, rim(rng, scene.radius * rng.uniform(0.75, 1.1)))
    return image


def off_centre(scene: Scene, rng: RANDOM) -> Image:
    """The particle itself, but far from the centre, mostly clipped."""
    molecule = scene.any_molecule(rng)
    size = scene.size(molecule) / 2
    shift = max(scene.radius * rng.uniform(0.4, 0.9), 0.55 * size)
    return _loose(scene, rng, molecule, rim(rng, shift))


def blurred(scene: Scene, rng: RANDOM) -> Image:
    """True particles whose views or turns do not agree."""
    molecule = scene.any_molecule(rng)
    wide = np.exp(rng.uniform(np.log(25), np.log(120)))
    return scene.blurred_view(
        molecule, view_of(molecule, rng), rng,
        spread_degree=wide, in_plane_degree=wide * rng.uniform(0.3, 1),
        shift_px=scene.size(molecule) * rng.uniform(0.01, 0.08), n=14,
    )  # fmt: skip


def fuzzy_ball(scene: Scene, rng: RANDOM) -> Image:
    """A round featureless average: the particle in every rotation, a soft ball, or a disc, its middle dim."""
    if rng.random() < 0.4:
        molecule = scene.any_molecule(rng)
        mixed = _loose(scene, rng, molecule, (0.0, 0.0))
        return radial_mean(mixed) * np.float32(rng.uniform(0.7, 1.5))
    r = radial(scene.box) / (0.5 * scene.first_size * rng.uniform(0.35, 0.95))
    ball_ = np.exp(-np.power(r, np.exp(rng.uniform(np.log(2), np.log(16)))))
    dent = rng.uniform(0, 0.7) * np.exp(-np.square(r / rng.uniform(0.2, 0.6)))
    image = ball_ * (1 - dent) * rng.uniform(0.6, 1.6)
    if rng.random() < 0.35:
        image = image + 0.3 * speckle(scene, rng) * ball_
    return np.asarray(image, np.float32)


def soft_view(scene: Scene, rng: RANDOM) -> Image:
    """A minority that did not align: a compact smooth lump of half the particle's size, bright as a rule.

    Beside the sharp classes of its job it is clearly bad; alone it looks like a coarse class of something.
    """
    size = scene.first_size * rng.uniform(0.3, 0.75)
    image = np.zeros((scene.box, scene.box), np.float32)
    if rng.random() < 0.5:
        image += broken(scene, rng)
    angle, reach = rng.uniform(0, np.pi), 0.5 * size
    for i in range(int(rng.integers(1, 4))):
        at = (0.0, 0.0) if i == 0 else rim(rng, reach * rng.uniform(0.3, 1.0))
        radii = (reach * rng.uniform(0.5, 1.0), reach * rng.uniform(0.4, 0.8))
        image += np.float32(rng.uniform(0.4, 1.2)) * blob(scene.box, at, radii, angle, rng.uniform(2, 4))
        angle += rng.normal(0, 0.8)
    shoulder = blob(scene.box, rim(rng, reach), (size * 0.5, size * 0.35), rng.uniform(0, np.pi))
    image = softened(image + np.float32(rng.uniform(0, 0.4)) * shoulder, size * rng.uniform(0.06, 0.2))
    return image * np.float32(np.exp(rng.uniform(np.log(0.7), np.log(5))))


def aggregate(scene: Scene, rng: RANDOM) -> Image:
    """Two to six particles run together."""
    image = np.zeros((scene.box, scene.box), np.float32)
    step = 0.5 * scene.first_size
    for i in range(int(rng.integers(2, 7))):
        at = spot(rng, 0.3 * step) if i == 0 else rim(rng, step * rng.uniform(0.5, 1.5))
        image += _loose(scene, rng, scene.any_molecule(rng), at)
    return image * np.float32(rng.uniform(0.6, 1.2))


def broken(scene: Scene, rng: RANDOM) -> Image:
    """A piece of the particle: what lies beyond one or two planes is missing, and views are mixed."""
    whole = scene.any_molecule(rng)
    way = random_turn(rng)[0]
    depth = whole.positions @ way
    kept = depth > np.quantile(depth, rng.uniform(0.4, 0.75))
    part = replace(
        whole, positions=whole.positions[kept], weights=whole.weights[kept],
        moving=np.zeros(int(kept.sum()), bool), sway_degree=0.0,
    )  # fmt: skip
    return scene.blurred_view(
        part, view_of(whole, rng), rng, spread_degree=rng.uniform(10, 60), in_plane_degree=rng.uniform(4, 40),
        shift_px=scene.size(whole) * rng.uniform(0.01, 0.06), n=8,
    )  # fmt: skip


def denatured(scene: Scene, rng: RANDOM) -> Image:
    """Unfolded protein: a loose, uneven cloud wider than the particle."""
    size = 0.5 * scene.first_size
    image = np.zeros((scene.box, scene.box), np.float32)
    place = np.zeros(2)
    for _ in range(int(rng.integers(8, 26))):
        place = 0.9 * place + rng.normal(0, 0.35 * size, 2)
        width = size * rng.uniform(0.12, 0.35)
        image += blob(
            scene.box, (place[0], place[1]), (width, width * rng.uniform(0.4, 1)), rng.uniform(0, 3)
        )
    return image * np.float32(rng.uniform(0.12, 0.4))


def mixture(scene: Scene, rng: RANDOM) -> Image:
    """Two views, or two molecules, on top of each other."""
    share = rng.uniform(0.35, 0.65)
    first, second = (_loose(scene, rng, scene.any_molecule(rng), (0.0, 0.0)) for _ in range(2))
    return np.asarray(share * first + (1 - share) * second, np.float32)


def _loose(scene: Scene, rng: RANDOM, molecule: Molecule, at: tuple[float, float]) -> Image:
    wide = np.exp(rng.uniform(np.log(6), np.log(70)))
    return scene.blurred_view(
        molecule, view_of(molecule, rng), rng, spread_degree=wide, in_plane_degree=wide * rng.uniform(0.2, 1),
        shift_px=scene.size(molecule) * rng.uniform(0.01, 0.07), offset_px=at, n=7,
    )  # fmt: skip
