"""A selection of a plain stack: the kept averages as an MRC stack, and the table of classes."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from cryofed.jobs.job import ClassJob
from cryofed.jobs.row_copies import write_particles
from cryofed.selection.policy import Selection
from cryofed.selection.table import write_csv

FILES = ("kept.mrcs", "classes.csv", "particles.star")


def write(job: ClassJob, selection: Selection, folder: Path, _final: Path) -> None:
    """`kept.mrcs` in the order of the stack (not written where nothing is kept) and `classes.csv`.

    Where the program told of its particles in a STAR file, those of kept classes are written too.
    """
    import mrcfile

    kept = np.flatnonzero(selection.kept)
    if len(kept):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # mrcfile warns of any average with outliers
            with mrcfile.new(folder / "kept.mrcs") as stack:
                stack.set_data(np.ascontiguousarray(job.averages[kept]))
                stack.set_image_stack()
                stack.voxel_size = job.pixel_size_angstrom or 0
    if job.particle_rows is not None:
        write_particles(job.particle_rows, folder / "particles.star", job.classes.number[kept].tolist())
    write_csv(job, selection, folder / "classes.csv")


def next_steps(job: ClassJob, final: Path) -> list[tuple[str, str]]:
    """The kept stack, and the particles where there are any."""
    steps = [("Open the kept averages", str(final / "kept.mrcs"))]
    if job.particle_rows is not None:
        steps.append(("Go on with the particles of the kept classes", str(final / "particles.star")))
    return steps
