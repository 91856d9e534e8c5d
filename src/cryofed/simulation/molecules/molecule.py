"""What a simulated macromolecule is: weighted beads, its symmetry, and the part of it that moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Points = NDArray[np.float32]  # (m, 3), Å


@dataclass(frozen=True, slots=True, kw_only=True)
class Molecule:
    """m beads around the origin.

    `positions` `(m, 3)` in Å, `weights` `(m,)` (scattering power; any unit). Beads whose `moving` is True
    sway about `hinge` by a normal angle of `sway_degree`. `views` is "side" for filaments, which lie in
    the plane of the ice. `bead_angstrom` is the spacing of the beads, below which there is no detail.
    """

    name: str
    kind: str
    symmetry: str
    positions: Points
    weights: NDArray[np.float32]
    moving: NDArray[np.bool_]
    hinge: NDArray[np.float32]
    sway_degree: float
    diameter_angstrom: float
    bead_angstrom: float = 4.0
    views: Literal["any", "side"] = "any"

    @property
    def mass_kda(self) -> float:
        """About how heavy: a bead of weight 1 stands for one residue of 110 Da."""
        return float(self.weights.sum()) * 0.11


def assemble(
    name: str,
    kind: str,
    positions: NDArray[np.floating],
    weights: NDArray[np.floating],
    *,
    symmetry: str = "C1",
    bead_angstrom: float = 4.0,
    diameter_angstrom: float | None = None,
    centre: NDArray[np.floating] | None = None,
    views: Literal["any", "side"] = "any",
) -> Molecule:
    """A rigid molecule from beads: centred on its mass and its diameter measured, where not given."""
    if centre is None:
        centre = np.average(positions, axis=0, weights=weights)
    centred = (positions - centre).astype(np.float32)
    diameter = diameter_angstrom or 2 * float(np.quantile(np.linalg.norm(centred, axis=1), 0.99)) + 8
    return Molecule(
        name=name,
        kind=kind,
        symmetry=symmetry,
        positions=centred,
        weights=weights.astype(np.float32),
        moving=np.zeros(len(centred), bool),
        hinge=np.zeros(3, np.float32),
        sway_degree=0.0,
        diameter_angstrom=diameter,
        bead_angstrom=bead_angstrom,
        views=views,
    )


def copies(
    positions: NDArray[np.floating], weights: NDArray[np.floating], symmetry: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One subunit repeated by a point group: C1, C2 …, D2 …, T, O, I (axis of C and D along z)."""
    turns = Rotation.create_group(symmetry).as_matrix()
    everywhere = np.einsum("gij,mj->gmi", turns, positions).reshape(-1, 3)
    return everywhere, np.tile(np.asarray(weights, np.float64), len(turns))


def random_turn(rng: np.random.Generator) -> NDArray[np.float64]:
    """A rotation matrix, uniform over all rotations (a normalized normal quaternion)."""
    turn: NDArray[np.float64] = Rotation.from_quat(rng.normal(size=4)).as_matrix()
    return turn
