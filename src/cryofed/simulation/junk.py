"""The junk that real classifications hold: one painter per kind, and the reason that each stands for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cryofed.scoring.reasons import REASONS
from cryofed.simulation.molecule import Molecule, random_turn
from cryofed.simulation.overfit import aligned_noise
from cryofed.simulation.paint import ball, blob, field, half_plane, polygon, rim, rings, spot, streaks
from cryofed.simulation.projection import Image, radial
from cryofed.simulation.scene import RANDOM, Scene, view_of

Painter = Callable[[Scene, RANDOM], Image]
NOISE, ICE, EDGE, CENTRE, BLUR, BROKEN, FEW = range(len(REASONS))


def _molecule_px(scene: Scene) -> float:
    return scene.size(scene.spec.molecules[0])


def noise(scene: Scene, rng: RANDOM) -> Image:
    """Nothing: the average shows the noise that it was fitted to."""
    return np.zeros((scene.box, scene.box), np.float32)


def speckle(scene: Scene, rng: RANDOM) -> Image:
    """Fine grain of one spacing (hexagonal speckle), often stronger inside an envelope or over a blob."""
    spacing = _molecule_px(scene) * np.exp(rng.uniform(np.log(0.05), np.log(0.24)))
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
    size = _molecule_px(scene)
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
    return aligned_noise(scene.box, scene.radius, _molecule_px(scene), rng)


def ray(scene: Scene, rng: RANDOM) -> Image:
    """Radial streaks."""
    rays = streaks(scene.box, rng, int(rng.integers(6, 36))) * np.float32(rng.uniform(0.2, 0.6))
    reach = scene.radius * rng.uniform(0.15, 0.6)
    middle = blob(scene.box, (0, 0), (reach, reach), 0) * np.float32(rng.uniform(0, 1))
    fade = np.exp(-radial(scene.box) / scene.radius * rng.uniform(0, 2.5))
    return np.asarray(rays * fade + middle, np.float32)


def ring(scene: Scene, rng: RANDOM) -> Image:
    """Concentric rings with some speckle."""
    size = _molecule_px(scene)
    rounds = rings(scene.box, rng, size * rng.uniform(0.05, 0.2)) * np.float32(rng.uniform(0.2, 0.8))
    fade = np.exp(-np.square(radial(scene.box) / (scene.radius * rng.uniform(0.4, 1.2))))
    return np.asarray(rounds * fade + 0.4 * speckle(scene, rng) * np.float32(rng.uniform(0, 1)), np.float32)


def disc(scene: Scene, rng: RANDOM) -> Image:
    """Gold beads or ethane drops: one to four bright discs, and faint ones of other micrographs."""
    image = np.zeros((scene.box, scene.box), np.float32)
    for _ in range(int(rng.choice([1, 1, 1, 2, 2, 3, 4]))):
        radius = scene.radius * np.exp(rng.uniform(np.log(0.07), np.log(0.62)))
        bright = np.float32(rng.uniform(2, 9) if rng.random() < 0.6 else rng.uniform(0.4, 2))
        image += bright * ball(scene.box, spot(rng, 0.95 * scene.radius), radius)
    return image


def ice(scene: Scene, rng: RANDOM) -> Image:
    """Crystalline ice or contamination: an angular patch with a mottled inside."""
    at = spot(rng, 0.5 * scene.radius)
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
    """A bright featureless blob of the particle's size: one to three soft ellipses run together."""
    size = 0.5 * _molecule_px(scene) * rng.uniform(0.5, 1.2)
    image = np.zeros((scene.box, scene.box), np.float32)
    angle = rng.uniform(0, np.pi)
    for i in range(int(rng.integers(1, 4))):
        at = spot(rng, 0.2 * size) if i == 0 else spot(rng, 1.2 * size)
        radii = (size * rng.uniform(0.5, 1.1), size * rng.uniform(0.35, 0.8))
        bright = np.float32(rng.uniform(0.8, 3) * (1 if i == 0 else rng.uniform(0.2, 1)))
        image += bright * blob(scene.box, at, radii, angle + rng.normal(0, 0.6), rng.uniform(2, 5))
    return image


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
    reach = 0.5 * _molecule_px(scene) * rng.uniform(0.3, 0.8)
    middle = blob(
        scene.box, spot(rng, 0.2 * scene.radius), (reach, reach * rng.uniform(0.5, 1)), rng.uniform(0, 3)
    )
    return np.asarray(bright_edge(scene, rng) + middle * rng.uniform(0.2, 0.8), np.float32)


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
    """A round, soft, featureless average: particles in every rotation, or a disc with a dim middle."""
    r = radial(scene.box) / (0.5 * _molecule_px(scene) * rng.uniform(0.45, 0.9))
    ball_ = np.exp(-np.power(r, rng.uniform(2, 7)))
    dent = rng.uniform(0, 0.7) * np.exp(-np.square(r / rng.uniform(0.2, 0.6)))
    image = ball_ * (1 - dent) * rng.uniform(0.6, 1.4)
    if rng.random() < 0.4:
        image = image + 0.3 * speckle(scene, rng) * ball_
    return np.asarray(image, np.float32)


def aggregate(scene: Scene, rng: RANDOM) -> Image:
    """Two to six particles run together."""
    image = np.zeros((scene.box, scene.box), np.float32)
    step = 0.5 * _molecule_px(scene)
    for i in range(int(rng.integers(2, 7))):
        at = spot(rng, 0.3 * step) if i == 0 else rim(rng, step * rng.uniform(0.5, 1.5))
        image += _loose(scene, rng, scene.any_molecule(rng), at)
    return image * np.float32(rng.uniform(0.6, 1.2))


def broken(scene: Scene, rng: RANDOM) -> Image:
    """A piece of the particle: what lies beyond one or two planes is missing, and views are mixed."""
    from dataclasses import replace

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
    size = 0.5 * _molecule_px(scene)
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


PAINTERS: dict[str, tuple[Painter, int]] = {  # kind: painter, index into REASONS
    "noise": (noise, NOISE),
    "speckle": (speckle, NOISE),
    "clump": (clump, NOISE),
    "aligned noise": (self_aligned, NOISE),
    "streaks": (ray, NOISE),
    "rings": (ring, NOISE),
    "disc": (disc, ICE),
    "ice": (ice, ICE),
    "smear": (smear, ICE),
    "blob": (lump, ICE),
    "carbon": (carbon, EDGE),
    "bright edge": (bright_edge, EDGE),
    "edge and blob": (edge_and_blob, EDGE),
    "corner": (corner, EDGE),
    "off centre": (off_centre, CENTRE),
    "blurred": (blurred, BLUR),
    "fuzzy ball": (fuzzy_ball, BLUR),
    "aggregate": (aggregate, BROKEN),
    "broken": (broken, BROKEN),
    "denatured": (denatured, BROKEN),
    "mixture": (mixture, BROKEN),
}
