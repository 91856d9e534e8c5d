"""Procedural molecules: every kind is a centred body of sane size; point groups leave them unchanged."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from cryofed.simulation.imaging.projection import cone, project
from cryofed.simulation.molecules.molecule import copies
from cryofed.simulation.molecules.shapes import KINDS, MOST_BEADS, random_molecule


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_is_a_centred_body_of_sane_size_and_mass(kind: str) -> None:
    for seed in range(3):
        molecule = random_molecule(np.random.default_rng(seed), kind=kind)
        assert np.isfinite(molecule.positions).all()
        assert (molecule.weights > 0).all()
        assert len(molecule.positions) <= MOST_BEADS
        centre = np.average(molecule.positions, axis=0, weights=molecule.weights)
        # Some chains are centred on their middle, whatever hangs at one end.
        assert np.linalg.norm(centre) < (0.25 if kind == "chain" else 0.02) * molecule.diameter_angstrom
        assert 25 < molecule.diameter_angstrom < 900
        assert molecule.mass_kda > 3
        if kind == "small":
            assert molecule.mass_kda < 160  # about 100 kDa, more with four large domains


@pytest.mark.parametrize(
    ("symmetry", "order"), [("C1", 1), ("C7", 7), ("D3", 6), ("T", 12), ("O", 24), ("I", 60)]
)
def test_a_point_group_makes_its_number_of_copies_and_each_turn_maps_them_onto_themselves(
    symmetry: str, order: int
) -> None:
    points, weights = copies(np.array([[31.0, 7, 3]]), np.ones(1), symmetry)
    assert len(points) == len(weights) == order
    for turn in Rotation.create_group(symmetry):
        distance, _ = cKDTree(points).query(turn.apply(points))
        assert distance.max() < 1e-9


def test_the_mass_of_a_projection_is_the_mass_of_the_molecule_in_any_view() -> None:
    rng = np.random.default_rng(2)
    molecule = random_molecule(rng, kind="complex")
    pixel = molecule.diameter_angstrom / 40
    turns = cone(rng, np.eye(3), 60, 60, 4)
    image = project(molecule, turns, np.zeros((4, 2)), box=96, pixel_size_angstrom=pixel, rng=rng)
    assert image.sum() == pytest.approx(molecule.weights.sum(), rel=1e-4)


def test_a_shift_of_whole_pixels_moves_the_projection_and_nothing_else() -> None:
    molecule = random_molecule(np.random.default_rng(3), kind="rod")
    pixel = molecule.diameter_angstrom / 30
    still, moved = (
        project(molecule, np.eye(3)[None], np.array([[x, y]]), box=64, pixel_size_angstrom=pixel)
        for x, y in ((0.0, 0.0), (5.0, -3.0))
    )
    np.testing.assert_allclose(np.roll(still, (-3, 5), axis=(0, 1)), moved, atol=1e-3 * still.max())
