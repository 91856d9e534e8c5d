"""Long and loose molecules: chains, lobes on linkers, filaments, rods."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cryofed.simulation.molecules.domains import Beads, cluster, domain, join, moved
from cryofed.simulation.molecules.molecule import Molecule, assemble, random_turn


def chain(rng: np.random.Generator, name: str) -> Molecule:
    """Beads on a string or a smooth worm, as negative stain shows them; often a ball at one end, hooked."""
    if rng.random() < 0.6:
        return _thread(rng, name)
    n = int(rng.integers(4, 13))
    step = rng.uniform(1.1, 2.3)  # of a bead's radius: smooth worm to separate beads
    bend = rng.uniform(0.03, 0.45)  # straight to curved
    hook = rng.random() < 0.4
    end = rng.uniform(1.3, 2.4) if rng.random() < 0.5 else 1.0
    way = np.array([0.0, 0, 1])
    place = np.zeros(3)
    parts = []
    radius = rng.uniform(10, 16)
    for i in range(n):
        ball = radius * (1.0 if i else end) * np.exp(rng.normal(0, 0.08))
        parts.append(moved(domain(rng, ball), None, place.copy()))
        way = way + rng.normal(0, bend * (4 if hook and i < 2 else 1), 3)
        way /= np.linalg.norm(way)
        place = place + way * step * radius
    return assemble(name, "chain", *join(parts), views="any" if rng.random() < 0.3 else "side")


def _thread(rng: np.random.Generator, name: str) -> Molecule:
    """Globular domains 22 to 45 Å apart on an arc or an S, perhaps a tag or a second strand at the first end.

    The tag is a dense ball at the end or beside it (a fusion, an antibody); loose ends are faint because
    they sway. Half of the threads are centred on their middle, not on their mass.
    """
    step = rng.uniform(22, 45)
    radius = step * rng.uniform(0.34, 0.6)
    places = _arc(rng, int(rng.integers(4, 14)), step)
    weights = np.exp(rng.normal(0, 0.15, len(places)))
    if rng.random() < 0.35:
        weights[: int(rng.integers(1, 4))] *= rng.uniform(0.15, 0.7)
    parts = [_weighted(domain(rng, radius), place, w) for place, w in zip(places, weights, strict=True)]
    if rng.random() < 0.3:
        strand = _arc(rng, int(rng.integers(2, 6)), step) @ _small_turn(rng, 0.6).T
        faint = rng.uniform(0.25, 0.9)
        parts += [_weighted(domain(rng, radius), place, faint) for place in strand[1:]]
    if rng.random() < 0.6:
        beside = np.array([rng.normal(0, 1), rng.normal(0, 0.3), rng.normal(-0.5, 0.7)])
        far = radius * rng.uniform(0.8, 2.8)
        ball = domain(rng, radius * rng.uniform(0.9, 1.7))
        parts.append(_weighted(ball, beside / np.linalg.norm(beside) * far, rng.uniform(1.2, 3.5)))
    middle = (places.max(axis=0) + places.min(axis=0)) / 2 if rng.random() < 0.5 else None
    views: Literal["any", "side"] = "any" if rng.random() < 0.2 else "side"
    return assemble(name, "chain", *join(parts), centre=middle, views=views)


def _arc(rng: np.random.Generator, n: int, step: float) -> NDArray[np.float64]:
    """`(n, 3)` places along z that bend in the plane x z: an arc, an S, or a hook at the start."""
    bend = np.full(n, rng.normal(0, 1.6) / n)  # radians at each bead
    if rng.random() < 0.4:
        bend[int(rng.integers(1, n)) :] *= -1
    if rng.random() < 0.35:
        bend[: int(rng.integers(1, 4))] += rng.choice([-1, 1]) * rng.uniform(0.3, 1.0)
    angle = np.cumsum(bend + rng.normal(0, 0.08, n))
    angle -= angle[n // 2]
    way = np.stack([np.sin(angle), rng.normal(0, 0.06, n), np.cos(angle)], axis=1)
    places: NDArray[np.float64] = np.cumsum(way * step, axis=0)
    places -= places[0]
    return places


def _weighted(beads: Beads, place: NDArray[np.float64], weight: float) -> Beads:
    points, weights = moved(beads, None, place)
    return points, weights * weight


def _small_turn(rng: np.random.Generator, radians: float) -> NDArray[np.float64]:
    turn: NDArray[np.float64] = Rotation.from_rotvec([0, rng.normal(0, radians), 0]).as_matrix()
    return turn


def lobes(rng: np.random.Generator, name: str) -> Molecule:
    """Two to four lobes on short linkers, like an antibody: always flexible."""
    parts = []
    n = int(rng.integers(2, 5))
    turn = rng.uniform(0, 2 * np.pi)
    for i in range(n):
        lobe = cluster(rng, int(rng.integers(2, 5)), (12, 18), 1.5)
        reach = rng.uniform(30, 55)
        angle = turn + 2 * np.pi * i / n + rng.normal(0, 0.25)
        spot = np.array([reach * np.cos(angle), reach * np.sin(angle), rng.normal(0, 10)])
        parts.append(moved(lobe, random_turn(rng), spot))
    return assemble(name, "lobes", *join(parts))


def filament(rng: np.random.Generator, name: str) -> Molecule:
    """A helix of subunits longer than any mask; its diameter is the length that a box would show."""
    unit = cluster(rng, int(rng.integers(1, 4)), (13, 22), 1.0, 6.0)
    width = 2 * float(np.quantile(np.linalg.norm(unit[0], axis=1), 0.75))
    per_turn = rng.uniform(2, 9)
    radius = rng.uniform(0.6, 0.95) * width / (2 * np.sin(np.pi / max(per_turn, 2.2)))
    rise = rng.uniform(0.7, 1.0) * width / per_turn
    length = rng.uniform(160, 340)
    steps = np.arange(-0.9 * length, 0.9 * length, rise)
    parts: list[Beads] = []
    for i, z in enumerate(steps):
        turn = Rotation.from_euler("z", i * 360 / per_turn, degrees=True).as_matrix()
        parts.append(moved(moved(unit, None, np.array([radius, 0, 0])), turn, np.array([0, 0, z])))
    beads = join(parts)
    return assemble(name, "filament", *beads, bead_angstrom=6.0, diameter_angstrom=length, views="side")


def rod(rng: np.random.Generator, name: str) -> Molecule:
    """Elongated: domains or coiled coil along one line."""
    n = int(rng.integers(3, 9))
    parts = [
        moved(
            domain(rng, rng.uniform(12, 22)), None, np.array([*rng.normal(0, 4, 2), i * rng.uniform(24, 32)])
        )
        for i in range(n)
    ]
    return assemble(name, "rod", *join(parts))
