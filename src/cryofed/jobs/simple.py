"""SIMPLE: the averages of the last iteration (`cavgs_iterNNN.mrc`), with the STAR files that it exports.

The project file (`.simple`) is SIMPLE's own binary; `clusters2D.star` and `particles2D.star` say what it
says of classes and particles. Source: SIMPLE, `simple_starproject.f90` and `simple_defs_fname.f90`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from cryofed.errors import InputError
from cryofed.jobs import star
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.jobs.mrc import read_mrc
from cryofed.jobs.programs import Start
from cryofed.jobs.relion import class_number
from cryofed.jobs.rows import read_particles

NAME = re.compile(r"cavgs_iter(\d{1,6})\.mrc")  # not _even, _odd and _ranked
EXPORT = "run `simple_exec prg=export_starproject projfile=…` in its folder and give cavgs_iterNNN.mrc"


def starts(path: Path) -> Path | None:
    """The averages of one iteration, also for the STAR files beside them.

    Raises:
        InputError: the project's file, which only SIMPLE can read.
    """
    if path.suffix == ".simple":
        raise InputError(path, "file", "a project in SIMPLE's own format", EXPORT)
    if path.name in ("clusters2D.star", "particles2D.star"):
        return next((start.file for start in find(path.absolute().parent)), None)
    return path if NAME.fullmatch(path.name) else None


def find(folder: Path) -> list[Start]:
    """The averages of the last iteration in a folder."""
    iterations = [(int(m[1]), f) for f in folder.iterdir() if (m := NAME.fullmatch(f.name)) and f.is_file()]
    return [Start(max(iterations)[1])] if iterations else []


def open_job(path: Path) -> ClassJob:
    """The averages, and what `clusters2D.star` and `particles2D.star` beside them say of this iteration."""
    averages, pixel = read_mrc(path)
    table, notes = ClassTable.unknown(len(averages)), []
    files = {"averages": path}
    clusters, particles = path.with_name("clusters2D.star"), path.with_name("particles2D.star")
    if clusters.is_file() and (counted := _clusters(clusters, path.name, table)) is not None:
        table = counted
        files["clusters"] = clusters
    rows = read_particles(particles) if "clusters" in files and particles.is_file() else None
    if rows is not None and len(rows) and int(rows.classes.max()) <= len(table) and rows.classes.min() >= 0:
        table = replace(table, particles=np.bincount(rows.classes, minlength=len(table) + 1)[1:])
        files["particles"] = particles
    else:
        rows = None
        notes.append(f"particles are not known; {EXPORT}")
    return ClassJob(
        program="simple",
        path=path,
        name=path.absolute().parent.name,
        averages=averages,
        classes=table,
        pixel_size_angstrom=pixel,
        particle_classes=None if rows is None else rows.classes,
        particle_rows=rows,
        read=path.stem,
        notes=tuple(notes),
        files=files,
    )


def own_folder(job: ClassJob) -> Path | None:
    """The folder of the classification."""
    return job.files["averages"].absolute().parent


def _clusters(path: Path, stack: str, table: ClassTable) -> ClassTable | None:
    """The table of classes where it speaks of this stack; SIMPLE exports that of the last iteration."""
    rows = star.read_block(path, "clusters")
    if rows is None:
        return None
    images = star.need_column(path, rows, "rlnReferenceImage")
    numbers = [class_number(image) for image in images]
    if not images or Path(images[0].partition("@")[2]).name != stack or numbers != table.number.tolist():
        return None
    resolution, population = (_numbers(rows, c) for c in ("rlnEstimatedResolution", "rlnClassDistribution"))
    if resolution is not None:
        table = replace(table, resolution_angstrom=np.where(resolution > 0, resolution, np.nan))
    if population is not None and (population >= 0).all() and population.sum() > 1.5:  # counts, not shares
        table = replace(
            table,
            particles=population.astype(np.int64),
            distribution=population / population.sum(),
        )
    return table


def _numbers(rows: star.Table, column: str) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    try:
        numbers = np.array([float(value) for value in rows[column]], np.float64)
    except (KeyError, ValueError):
        return None
    return numbers if np.isfinite(numbers).all() and (numbers < 1e12).all() else None
