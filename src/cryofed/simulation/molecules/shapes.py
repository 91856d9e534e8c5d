"""Procedural macromolecules: many kinds, sizes and point symmetries, none of them copied from nature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cryofed.simulation.molecules import elongated, globular
from cryofed.simulation.molecules.molecule import Molecule, random_turn

Maker = Callable[[np.random.Generator, str], Molecule]
MOST_BEADS = 7000  # more would cost time and not show at the pixel sizes of class averages


def random_molecule(rng: np.random.Generator, name: str = "molecule", kind: str | None = None) -> Molecule:
    """A molecule of a random kind (or the one named), 3 in 10 of them with a part that moves."""
    names = list(KINDS)
    shares = np.array([share for share, _ in KINDS.values()])
    chosen = kind or names[int(rng.choice(len(names), p=shares / shares.sum()))]
    molecule = thinned(KINDS[chosen][1](rng, name))
    flexible = chosen == "lobes" or (rng.random() < 0.3 and molecule.views == "any")
    return _flexible(rng, molecule) if flexible else molecule


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


KINDS: dict[str, tuple[float, Maker]] = {  # share of the corpus, maker
    "complex": (0.15, globular.asymmetric),
    "small": (0.09, globular.small),
    "large": (0.15, globular.large),
    "cyclic": (0.15, globular.cyclic),
    "dihedral": (0.14, globular.dihedral),
    "barrel": (0.06, globular.barrel),
    "membrane": (0.10, globular.membrane),
    "chain": (0.12, elongated.chain),
    "lobes": (0.05, elongated.lobes),
    "filament": (0.03, elongated.filament),
    "rod": (0.05, elongated.rod),
    "cage T": (0.02, globular.cage("T", (35, 70))),
    "cage O": (0.025, globular.cage("O", (45, 90))),
    "cage I": (0.035, globular.cage("I", (90, 270))),
}
