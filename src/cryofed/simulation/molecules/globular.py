"""Compact molecules: complexes, oligomers, barrels, membrane proteins and cages."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from cryofed.simulation.molecules.domains import Beads, belt, cluster, duplex, join, moved
from cryofed.simulation.molecules.molecule import Molecule, assemble, copies, random_turn


def small(rng: np.random.Generator, name: str) -> Molecule:
    """Under 100 kDa: one to four small domains."""
    beads = cluster(rng, int(rng.integers(1, 5)), (13, 20), rng.uniform(0, 1), 3.5)
    return assemble(name, "small", *beads, bead_angstrom=3.5)


def asymmetric(rng: np.random.Generator, name: str) -> Molecule:
    """A complex without symmetry: 4 to 14 domains, loose or compact."""
    beads = cluster(rng, int(rng.integers(4, 15)), (14, 30), rng.uniform(0, 2))
    return assemble(name, "complex", *beads)


def large(rng: np.random.Generator, name: str) -> Molecule:
    """Ribosome-like: two compact bodies of many domains and nucleic acid, with a groove between."""
    bodies: list[Beads] = []
    for n in (int(rng.integers(10, 22)), int(rng.integers(6, 15))):
        body = cluster(rng, n, (17, 30), 2.0, 6.0)
        acid = [
            moved(duplex(rng, rng.uniform(40, 80)), random_turn(rng), body[0][rng.integers(len(body[0]))])
            for _ in range(int(rng.integers(3, 11)))
        ]
        bodies.append(join([body, *acid]))
    radii = [float(np.quantile(np.linalg.norm(points, axis=1), 0.8)) for points, _ in bodies]
    apart = rng.uniform(0.6, 0.95) * sum(radii) * random_turn(rng)[0]
    return assemble(name, "large", *join([bodies[0], moved(bodies[1], None, apart)]), bead_angstrom=6.0)


def _subunit(rng: np.random.Generator, n_max: int, radius: tuple[float, float], spacing: float) -> Beads:
    return cluster(rng, int(rng.integers(1, n_max + 1)), radius, rng.uniform(0, 1.5), spacing)


def _ring_radius(beads: Beads, n: int, closeness: float) -> float:
    """How far from the axis n copies just touch."""
    width = 2 * float(np.quantile(np.linalg.norm(beads[0], axis=1), 0.75))
    return float(closeness * width / (2 * np.sin(np.pi / n)))


def cyclic(rng: np.random.Generator, name: str) -> Molecule:
    """C2 to C12: from compact oligomers to open rings."""
    n = int(rng.choice([2, 2, 3, 3, 4, 4, 5, 6, 6, 7, 8, 9, 10, 11, 12]))
    unit = _subunit(rng, 4 if n < 7 else 2, (13, 26), 4.0 if n < 7 else 5.0)
    away = np.array([_ring_radius(unit, n, rng.uniform(0.55, 1.02)), 0, 0])
    beads = copies(*moved(unit, random_turn(rng), away), f"C{n}")
    return assemble(name, "cyclic", *beads, symmetry=f"C{n}")


def dihedral(rng: np.random.Generator, name: str) -> Molecule:
    """D2 to D7."""
    n = int(rng.choice([2, 2, 2, 3, 3, 4, 5, 6, 7]))
    unit = _subunit(rng, 3, (14, 28), 5.0)
    height = float(np.quantile(np.abs(unit[0][:, 2]), 0.85)) * rng.uniform(0.6, 1.2)
    away = np.array([_ring_radius(unit, n, rng.uniform(0.55, 1.0)), 0, height])
    beads = copies(*moved(unit, random_turn(rng), away), f"D{n}")
    return assemble(name, "dihedral", *beads, symmetry=f"D{n}", bead_angstrom=5.0)


def barrel(rng: np.random.Generator, name: str) -> Molecule:
    """Stacked rings: chaperonins, proteasomes; sometimes with a cap on one end."""
    n = int(rng.integers(5, 10))
    rings = int(rng.integers(2, 5))
    unit = cluster(rng, int(rng.integers(1, 3)), (14, 20), 1.0, 5.0)
    radius = _ring_radius(unit, n, rng.uniform(0.8, 1.1))
    rise = rng.uniform(30, 44)
    parts = []
    for level in range(rings):
        turn = Rotation.from_euler("z", rng.uniform(0, 360), degrees=True).as_matrix()
        ring = copies(*moved(unit, None, np.array([radius, 0, 0])), f"C{n}")
        parts.append(moved(ring, turn, np.array([0, 0, (level - (rings - 1) / 2) * rise])))
    if rng.random() < 0.3:
        cap = cluster(rng, int(rng.integers(2, 6)), (14, 24), 1.0, 5.0)
        parts.append(moved(cap, None, np.array([0, 0, (rings + 0.6) / 2 * rise])))
    return assemble(name, "barrel", *join(parts), symmetry=f"C{n}", bead_angstrom=5.0)


def membrane(rng: np.random.Generator, name: str) -> Molecule:
    """A channel or transporter: upright helices in a micelle or nanodisc, domains on one or both sides."""
    n = int(rng.choice([1, 1, 1, 2, 3, 4, 4, 5]))
    helices: list[Beads] = []
    for _ in range(int(rng.integers(4, 9)) if n > 1 else int(rng.integers(7, 15))):
        z = np.arange(-rng.uniform(15, 24), rng.uniform(15, 24), 3.0)
        base = rng.normal(0, 9 if n > 1 else 12, 2)
        lean = rng.normal(0, 0.3, 2)
        line = np.stack([base[0] + lean[0] * z, base[1] + lean[1] * z, z], axis=1)
        line = line + rng.normal(0, 1.6, line.shape)
        helices.append((line, np.full(len(z), 2.0)))
    unit = helices
    for side in (1, -1):
        if rng.random() < 0.62:
            size = int(rng.integers(1, 4))
            soluble = cluster(rng, size, (12, 20), 1.0)
            high = float(np.abs(soluble[0][:, 2]).max()) + 18
            unit = [*unit, moved(soluble, None, np.array([rng.normal(0, 6), rng.normal(0, 6), side * high]))]
    away = np.array([0 if n == 1 else rng.uniform(16, 26), 0, 0])
    protein = copies(*moved(join(unit), None, away), f"C{n}")
    inner = float(np.quantile(np.linalg.norm(join(helices)[0][:, :2] + away[:2], axis=1), 0.9))
    around = belt(rng, inner + rng.uniform(18, 42), inner, rng.uniform(0.25, 0.9))
    return assemble(name, "membrane", *join([protein, around]), symmetry=f"C{n}")


def cage(symmetry: str, radii: tuple[float, float]) -> Callable[[np.random.Generator, str], Molecule]:
    """A shell of subunits with cubic symmetry: ferritin (O), capsids (I), small cages (T)."""

    def make(rng: np.random.Generator, name: str) -> Molecule:
        radius = rng.uniform(*radii)
        copies_ = {"T": 12, "O": 24, "I": 60}[symmetry]
        patch = np.sqrt(4 * np.pi * radius**2 / copies_ / np.pi)
        n = int(np.clip(round((patch / 17) ** 2), 1, 5))
        unit = cluster(rng, n, (0.5 * patch / np.sqrt(n) + 4, 0.75 * patch / np.sqrt(n) + 6), 1.0, 7.0)
        way = rng.normal(size=3)
        beads = copies(*moved(unit, None, way / np.linalg.norm(way) * radius), symmetry)
        if rng.random() < 0.25:  # a filled one: genome or cargo
            fill = cluster(rng, 12, (0.2 * radius, 0.3 * radius), 3.0, 9.0)
            beads = join([beads, (fill[0], fill[1] * 0.5)])
        return assemble(name, f"cage {symmetry}", *beads, symmetry=symmetry, bead_angstrom=7.0)

    return make
