"""Procedural macromolecules: many kinds, sizes and point symmetries, none of them copied from nature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cryofed.simulation.domains import Beads, belt, cluster, domain, duplex, join, moved
from cryofed.simulation.molecule import Molecule, assemble, copies, random_turn

Maker = Callable[[np.random.Generator, str], Molecule]
MOST_BEADS = 7000  # more cost time and show nothing at the pixel sizes of class averages


def random_molecule(rng: np.random.Generator, name: str = "molecule", kind: str | None = None) -> Molecule:
    """A molecule of a random kind (or the one named), 3 in 10 of them with a part that moves."""
    names = list(KINDS)
    shares = np.array([share for share, _ in KINDS.values()])
    chosen = kind or names[int(rng.choice(len(names), p=shares / shares.sum()))]
    made = thinned(KINDS[chosen][1](rng, name))
    flexible = chosen == "lobes" or (rng.random() < 0.3 and made.views == "any")
    return _flexible(rng, made) if flexible else made


def thinned(molecule: Molecule) -> Molecule:
    """Beads of one small cube become one at their centre of mass, cubes growing until few enough are left."""
    step = molecule.bead_angstrom
    while len(molecule.positions) > MOST_BEADS:
        step *= 1.25
        x, y, z = (np.floor(molecule.positions / step).astype(np.int64) + 512).T  # 512: makes all positive
        index = np.unique((x * 1024 + y) * 1024 + z, return_inverse=True)[1]
        weights = np.bincount(index, molecule.weights)
        sums = [np.bincount(index, molecule.weights * axis) for axis in molecule.positions.T]
        centres = np.stack(sums, axis=1) / weights[:, None]
        molecule = replace(
            molecule, positions=centres.astype(np.float32), weights=weights.astype(np.float32),
            moving=np.zeros(len(weights), bool), bead_angstrom=0.75 * step,
        )  # fmt: skip
    return molecule


def _flexible(rng: np.random.Generator, molecule: Molecule) -> Molecule:
    """Cut by a plane off the centre; what lies beyond it sways about the cut."""
    way = random_turn(rng)[0]
    depth = molecule.positions @ way
    cut = float(np.quantile(depth, rng.uniform(0.55, 0.85)))
    moving = depth > cut
    hinge = molecule.positions[moving].mean(axis=0) - (depth[moving].mean() - cut) * way
    return replace(
        molecule, moving=moving, hinge=hinge.astype(np.float32), sway_degree=float(rng.uniform(3, 22))
    )


def _small(rng: np.random.Generator, name: str) -> Molecule:
    """Under 100 kDa: one to four small domains."""
    beads = cluster(rng, int(rng.integers(1, 5)), (13, 20), rng.uniform(0, 1), 3.5)
    return assemble(name, "small", *beads, bead_angstrom=3.5)


def _complex(rng: np.random.Generator, name: str) -> Molecule:
    """A complex without symmetry: 4 to 14 domains, loose or compact."""
    beads = cluster(rng, int(rng.integers(4, 15)), (14, 30), rng.uniform(0, 2))
    return assemble(name, "complex", *beads)


def _large(rng: np.random.Generator, name: str) -> Molecule:
    """Ribosome-like: two compact bodies of many domains and nucleic acid, with a groove between."""
    bodies: list[Beads] = []
    for n in (int(rng.integers(10, 22)), int(rng.integers(6, 15))):
        body = cluster(rng, n, (17, 30), 3.5, 6.0)
        spread = body[0].std(axis=0)
        acid = [
            moved(duplex(rng, rng.uniform(40, 80)), random_turn(rng), rng.normal(0, 0.9 * spread))
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


def _cyclic(rng: np.random.Generator, name: str) -> Molecule:
    """C2 to C12: from compact oligomers to open rings."""
    n = int(rng.choice([2, 2, 3, 3, 4, 4, 5, 6, 6, 7, 8, 9, 10, 11, 12]))
    unit = _subunit(rng, 4 if n < 7 else 2, (13, 26), 4.0 if n < 7 else 5.0)
    away = np.array([_ring_radius(unit, n, rng.uniform(0.55, 1.02)), 0, 0])
    beads = copies(*moved(unit, random_turn(rng), away), f"C{n}")
    return assemble(name, "cyclic", *beads, symmetry=f"C{n}")


def _dihedral(rng: np.random.Generator, name: str) -> Molecule:
    """D2 to D7."""
    n = int(rng.choice([2, 2, 2, 3, 3, 4, 5, 6, 7]))
    unit = _subunit(rng, 3, (14, 28), 5.0)
    height = float(np.quantile(np.abs(unit[0][:, 2]), 0.85)) * rng.uniform(0.6, 1.2)
    away = np.array([_ring_radius(unit, n, rng.uniform(0.55, 1.0)), 0, height])
    beads = copies(*moved(unit, random_turn(rng), away), f"D{n}")
    return assemble(name, "dihedral", *beads, symmetry=f"D{n}", bead_angstrom=5.0)


def _barrel(rng: np.random.Generator, name: str) -> Molecule:
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


def _membrane(rng: np.random.Generator, name: str) -> Molecule:
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


def _chain(rng: np.random.Generator, name: str) -> Molecule:
    """Beads on a string or a smooth worm, as negative stain shows them; often a ball at one end, hooked."""
    n = int(rng.integers(4, 14))
    step = rng.uniform(1.1, 2.3)  # of a bead's radius: smooth worm to separate beads
    bend = rng.uniform(0.12, 0.45)
    hook = rng.random() < 0.4
    way = np.array([0.0, 0, 1])
    place = np.zeros(3)
    parts = []
    radius = rng.uniform(10, 16)
    for i in range(n):
        ball = radius * (1.0 if i else rng.uniform(0.9, 2.2)) * np.exp(rng.normal(0, 0.08))
        parts.append(moved(domain(rng, ball), None, place.copy()))
        way = way + rng.normal(0, bend * (4 if hook and i < 2 else 1), 3)
        way /= np.linalg.norm(way)
        place = place + way * step * radius
    return assemble(name, "chain", *join(parts), views="any" if rng.random() < 0.3 else "side")


def _lobes(rng: np.random.Generator, name: str) -> Molecule:
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


def _filament(rng: np.random.Generator, name: str) -> Molecule:
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


def _rod(rng: np.random.Generator, name: str) -> Molecule:
    """Elongated: domains or coiled coil along one line."""
    n = int(rng.integers(3, 9))
    parts = [
        moved(
            domain(rng, rng.uniform(12, 22)), None, np.array([*rng.normal(0, 4, 2), i * rng.uniform(24, 32)])
        )
        for i in range(n)
    ]
    return assemble(name, "rod", *join(parts))


def _cage(symmetry: str, radii: tuple[float, float]) -> Maker:
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


KINDS: dict[str, tuple[float, Maker]] = {  # share of the corpus, maker
    "complex": (0.15, _complex),
    "small": (0.09, _small),
    "large": (0.15, _large),
    "cyclic": (0.15, _cyclic),
    "dihedral": (0.14, _dihedral),
    "barrel": (0.06, _barrel),
    "membrane": (0.10, _membrane),
    "chain": (0.08, _chain),
    "lobes": (0.05, _lobes),
    "filament": (0.03, _filament),
    "rod": (0.05, _rod),
    "cage T": (0.02, _cage("T", (35, 70))),
    "cage O": (0.025, _cage("O", (45, 90))),
    "cage I": (0.035, _cage("I", (90, 270))),
}


def kinds() -> NDArray[np.str_]:
    """Names of the kinds of molecule."""
    return np.array(list(KINDS))
