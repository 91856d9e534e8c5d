"""Building blocks of molecules: globular domains of packed helices and sheets, nucleic acid, belts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryofed.simulation.molecules.molecule import random_turn

Beads = tuple[NDArray[np.float64], NDArray[np.float64]]  # positions (m, 3) in Å, weights (m,)
RESIDUE_VOLUME = 134.0  # Å³ of protein per residue at 1.35 g/cm³ and 110 Da


def domain(rng: np.random.Generator, radius_angstrom: float, spacing_angstrom: float = 4.0) -> Beads:
    """A globular domain: an ellipsoid filled evenly, and in it rods (helices) or lumps (sheets).

    Its weight is the number of residues that fit into the ellipsoid; the even filling takes 15 to 60 % of
    it. So the power of a projection falls from 40 Å to 10 Å about as that of atomic models in ice.
    """
    axes = np.maximum(radius_angstrom * np.exp(rng.normal(0, 0.18, 3)), 9)
    filling = _lattice(rng, axes, max(5.5, radius_angstrom / 4.2, 1.2 * spacing_angstrom))
    rods = _rods(rng, axes, spacing_angstrom) if rng.random() < 0.72 else filling[:0]
    points = rods if len(rods) >= 8 else _lumps(rng, filling)
    residues = 4 / 3 * np.pi * np.prod(axes) / RESIDUE_VOLUME
    even = rng.uniform(0.15, 0.6) * residues
    weights = [
        np.full(len(filling), even / len(filling)),
        np.full(len(points), (residues - even) / len(points)),
    ]
    return np.concatenate([filling, points]) @ random_turn(rng).T, np.concatenate(weights)


def _rods(rng: np.random.Generator, axes: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
    """Parallel and crossed rods 10 Å apart, each a line of beads with the waist of a helix."""
    reach = float(axes.max())
    pitch = rng.uniform(9, 11.5)
    grid = np.arange(-reach, reach + pitch, pitch)
    first, second = np.meshgrid(grid, grid, indexing="ij")
    starts = np.stack([first.ravel(), second.ravel()], axis=1) + rng.normal(0, 1.2, (first.size, 2))
    along = np.arange(-reach, reach, spacing * 0.75)
    tilt = rng.normal(0, 0.22, (len(starts), 2))
    lines = starts[:, None, :] + tilt[:, None, :] * along[None, :, None]  # (rods, steps, 2)
    depth = np.broadcast_to(along, lines.shape[:2])
    points = np.concatenate([lines, depth[..., None]], axis=2)
    # Loops cut the rods: each rod keeps the steps between two random ends, or is split in the middle.
    gap = rng.uniform(-reach, reach, len(starts))[:, None]
    kept = np.abs(depth - gap) > rng.uniform(2, 7)
    flat = points[kept] + rng.normal(0, 0.7, (int(kept.sum()), 3))
    inside: NDArray[np.float64] = flat[np.square(flat / axes).sum(axis=1) < 1]
    return inside


def _lattice(rng: np.random.Generator, axes: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """An ellipsoid filled with a jittered lattice: evener than chance, so almost no power of its own."""
    grids = [np.arange(-a, a + step, step) for a in axes]
    points = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, 3)
    points = points + rng.uniform(-0.35, 0.35, points.shape) * step
    inside: NDArray[np.float64] = points[np.square(points / axes).sum(axis=1) < 1]
    return inside


def _lumps(rng: np.random.Generator, filling: NDArray[np.float64]) -> NDArray[np.float64]:
    """The filling drawn together around a few places."""
    centres = filling[rng.integers(0, len(filling), max(3, len(filling) // 25))]
    nearest = centres[np.argmin(np.square(filling[:, None] - centres[None]).sum(axis=2), axis=1)]
    pull = rng.uniform(0.15, 0.5)
    result: NDArray[np.float64] = (1 - pull) * filling + pull * nearest + rng.normal(0, 1.0, filling.shape)
    return result


def duplex(rng: np.random.Generator, length_angstrom: float) -> Beads:
    """A piece of double-stranded nucleic acid along z: two strands around a radius of 9 Å, heavier."""
    rise = np.arange(-length_angstrom / 2, length_angstrom / 2, 3.0)
    phase = rng.uniform(0, 2 * np.pi) + rise / 28 * 2 * np.pi
    strands = [
        np.stack([9 * np.cos(phase + shift), 9 * np.sin(phase + shift), rise], axis=1) for shift in (0, 2.4)
    ]
    core = np.stack([0 * rise, 0 * rise, rise], axis=1)
    points = np.concatenate([*strands, core])
    return points, np.full(len(points), 2.4)


def belt(rng: np.random.Generator, radius_angstrom: float, hole_angstrom: float, contrast: float) -> Beads:
    """Detergent micelle or nanodisc around z: two head-group layers, bright; the tails between, dim."""
    n = int(np.clip(radius_angstrom**2 * 0.9, 200, 2600))
    angle = rng.uniform(0, 2 * np.pi, n)
    radius = np.sqrt(rng.uniform(hole_angstrom**2, radius_angstrom**2, n))
    # An oblate belt: thickness falls towards the rim.
    half = 19 * np.sqrt(np.maximum(1 - 0.75 * (radius / radius_angstrom) ** 4, 0.02))
    heads = rng.random(n) < 0.62
    side = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    depth = np.where(heads, side * half + rng.normal(0, 2, n), rng.uniform(-1, 1, n) * half)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), depth], axis=1)
    volume = np.pi * (radius_angstrom**2 - hole_angstrom**2) * 30
    return points, np.full(n, contrast * volume / RESIDUE_VOLUME / n)


def join(parts: list[Beads]) -> Beads:
    """Several blocks as one set of beads."""
    return np.concatenate([p for p, _ in parts]), np.concatenate([w for _, w in parts])


def moved(beads: Beads, turn: NDArray[np.float64] | None, by: NDArray[np.float64] | None = None) -> Beads:
    """The block turned about the origin, then shifted."""
    points = beads[0] if turn is None else beads[0] @ turn.T
    return points if by is None else points + by, beads[1]


def cluster(
    rng: np.random.Generator, n: int, radius: tuple[float, float], compact: float, spacing: float = 4.0
) -> Beads:
    """n domains that touch: each new one sits on a random earlier one, pulled inwards by `compact` 0..1."""
    radii = rng.uniform(*radius, n)
    centres = np.zeros((n, 3))
    for i in range(1, n):
        tries = []
        for _ in range(6):
            j = int(rng.integers(i))
            way = rng.normal(size=3)
            spot = centres[j] + way / np.linalg.norm(way) * 0.85 * (radii[i] + radii[j])
            overlap = np.min(np.linalg.norm(centres[:i] - spot, axis=1) / (radii[:i] + radii[i]))
            tries.append((compact * np.linalg.norm(spot) / radii.mean() - 9 * min(overlap, 0.85), spot))
        centres[i] = min(tries, key=lambda t: float(t[0]))[1]
    return join([moved(domain(rng, radii[i], spacing), None, centres[i]) for i in range(n)])
