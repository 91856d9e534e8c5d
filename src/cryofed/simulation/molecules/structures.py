"""Molecules from files: atomic models (PDB, mmCIF) and density maps (MRC), gzipped or not."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cryofed.errors import InputError
from cryofed.simulation.molecules.molecule import Molecule, assemble
from cryofed.simulation.molecules.shapes import thinned

MODELS = (".pdb", ".ent", ".cif", ".mmcif")
MAPS = (".mrc", ".map", ".ccp4")
HEAVY_ELECTRONS = 55.0  # of a mean amino-acid residue, without hydrogen
FEWEST_ATOMS = 50
MOST_ATOMS = 60_000


def structure_files(folder: Path) -> list[Path]:
    """The files in `folder` and below that hold a model or a map, sorted."""
    if not folder.is_dir():
        raise InputError(folder, "structures", "no such folder", "name a folder of PDB, mmCIF or MRC files")
    files = sorted(p for p in folder.rglob("*") if p.is_file() and _kind(p) in MODELS + MAPS)
    if not files:
        remedy = "put .pdb, .cif or .mrc files (or .gz of them) there"
        raise InputError(folder, "structures", "no PDB, mmCIF or MRC file", remedy)
    return files


@lru_cache(maxsize=64)
def read_structure(path: Path) -> Molecule:
    """One file as a molecule. Of a model, the biological assembly where the file describes one."""
    return thinned(_map(path) if _kind(path) in MAPS else _model(path))


def _kind(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def _model(path: Path) -> Molecule:
    import gemmi

    try:
        structure = gemmi.read_structure(str(path))
        model = structure[0]
        if structure.assemblies:
            model = gemmi.make_assembly(structure.assemblies[0], model, gemmi.HowToNameCopiedChain.Dup)
        residues = [r for chain in model for r in chain if not r.is_water()]
        step = 1 + model.count_atom_sites() // MOST_ATOMS  # of a capsid, every n-th atom is enough
        atoms = [
            (*atom.pos.tolist(), weight * atom.element.atomic_number * atom.occ)
            for residue in residues
            for atom, weight in _some(list(residue), step)
            if not atom.is_hydrogen()
        ]
    except (RuntimeError, ValueError, IndexError, OSError, UnicodeDecodeError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(path, "atomic model", text, "take it out of the folder, or mend it") from None
    table = np.array(atoms, np.float64).reshape(-1, 4)
    table = table[table[:, 3] > 0]
    if len(table) < FEWEST_ATOMS:
        raise InputError(path, "atoms", f"{len(table)}", f"give a model of at least {FEWEST_ATOMS} atoms")
    name = path.name.split(".")[0]
    return assemble(name, "model", table[:, :3], table[:, 3] / HEAVY_ELECTRONS, bead_angstrom=2.0)


def _some(atoms: list[Any], step: int) -> list[tuple[Any, float]]:
    """Every so many atoms of a residue, each standing for those left out."""
    kept = atoms[::step]
    return [(atom, len(atoms) / len(kept)) for atom in kept]


def _map(path: Path) -> Molecule:
    import mrcfile

    try:
        with mrcfile.open(path, permissive=False) as file:
            density = np.asarray(file.data, np.float32)
            voxel = float(file.voxel_size.x)
    except (ValueError, OSError, gzip.BadGzipFile) as error:
        text = str(error).splitlines()[0].rstrip(".")
        raise InputError(path, "density map", text, "take it out of the folder, or mend it") from None
    if density.ndim != 3 or voxel <= 0 or not np.isfinite(density).all():
        found = f"{density.ndim} dimensions, voxel {voxel:g} Å"
        raise InputError(path, "density map", found, "give a 3D map of finite values with its voxel size")
    # The particle is what stands out of the noise of the box.
    level = float(density.mean() + 2.5 * density.std())
    z, y, x = np.nonzero(density > level)
    if len(x) < FEWEST_ATOMS:
        raise InputError(path, "density map", "nothing stands out", "give a map of a particle, bright")
    weights = (density[z, y, x] - level / 2).astype(np.float64)
    jitter = np.random.default_rng(0).uniform(-0.5, 0.5, (len(x), 3))  # a lattice would show in projection
    points = (np.stack([x, y, z], axis=1) + jitter) * voxel
    residues = len(x) * voxel**3 / 134.0
    name = path.name.split(".")[0]
    return assemble(name, "map", points, weights * residues / weights.sum(), bead_angstrom=max(voxel, 2.0))
