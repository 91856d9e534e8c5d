"""Molecules from files: PDB, mmCIF and MRC, gzipped or not; what cannot be read says why in one line."""

from __future__ import annotations

import gzip
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryofed.errors import InputError
from cryofed.simulation.corpus import corpus
from cryofed.simulation.molecules.structures import read_structure, structure_files


def pdb(atoms: int = 60, assembly: bool = False) -> str:
    """A line of carbon atoms 2 Å apart along x; the assembly adds a copy 100 Å along y."""
    lines = []
    if assembly:
        lines = [
            "REMARK 350 BIOMOLECULE: 1",
            "REMARK 350 APPLY THE FOLLOWING TO CHAINS: A",
            "REMARK 350   BIOMT1   1  1.000000  0.000000  0.000000        0.00000",
            "REMARK 350   BIOMT2   1  0.000000  1.000000  0.000000        0.00000",
            "REMARK 350   BIOMT3   1  0.000000  0.000000  1.000000        0.00000",
            "REMARK 350   BIOMT1   2  1.000000  0.000000  0.000000        0.00000",
            "REMARK 350   BIOMT2   2  0.000000  1.000000  0.000000      100.00000",
            "REMARK 350   BIOMT3   2  0.000000  0.000000  1.000000        0.00000",
        ]
    lines += [
        f"ATOM  {i:5d}  CA  ALA A{i:4d}    {2.0 * i:8.3f}{0.0:8.3f}{0.0:8.3f}  1.00 20.00           C"
        for i in range(1, atoms + 1)
    ]
    return "\n".join([*lines, "END", ""])


def test_a_pdb_file_becomes_beads_around_its_centre_of_mass(tmp_path: Path) -> None:
    (tmp_path / "line.pdb").write_text(pdb())
    molecule = read_structure(tmp_path / "line.pdb")
    assert len(molecule.positions) == 60
    np.testing.assert_allclose(molecule.positions.mean(axis=0), 0, atol=1e-4)
    assert np.ptp(molecule.positions[:, 0]) == pytest.approx(118)  # 59 steps of 2 Å
    assert molecule.mass_kda == pytest.approx(60 * 6 / 55 * 0.11, rel=1e-5)  # carbon has 6 electrons


def test_the_biological_assembly_is_taken_where_the_file_describes_one(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "two.pdb.gz", "wt") as file:
        file.write(pdb(assembly=True))
    molecule = read_structure(tmp_path / "two.pdb.gz")
    assert len(molecule.positions) == 120
    assert np.ptp(molecule.positions[:, 1]) == pytest.approx(100)


def test_a_map_becomes_beads_where_density_stands_out(tmp_path: Path) -> None:
    axis = np.arange(24) - 12
    inside = np.hypot(np.hypot(axis[:, None, None], axis[None, :, None]), axis[None, None, :]) < 5
    with mrcfile.new(tmp_path / "ball.mrc") as file:
        file.set_data(inside.astype(np.float32))
        file.voxel_size = 4.0
    molecule = read_structure(tmp_path / "ball.mrc")
    assert len(molecule.positions) == inside.sum()
    assert molecule.diameter_angstrom == pytest.approx(2 * 4.7 * 4 + 8, abs=5)  # 99 % of a ball of 20 Å


@pytest.mark.parametrize("content", [b"", b"not a model\n", pdb(atoms=3).encode()])
def test_a_file_without_a_molecule_is_named_with_a_remedy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.pdb").write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.pdb"):
        read_structure(tmp_path / "broken.pdb")


def test_a_broken_map_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no PDB"):
        structure_files(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        structure_files(tmp_path / "missing")
    (tmp_path / "short.mrc").write_bytes(b"\0" * 100)
    with pytest.raises(InputError, match="density map"):
        read_structure(tmp_path / "short.mrc")


def test_a_corpus_takes_molecules_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "line.pdb").write_text(pdb())
    names = {name for job in corpus(6, seed=1, structures=tmp_path) for name in job.truth.molecules}
    assert "line" in names
    assert len(names) > 1  # the other half is procedural
