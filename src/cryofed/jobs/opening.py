"""Find out which program wrote a 2D classification, and read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cryofed.errors import InputError
from cryofed.jobs.check import check_job
from cryofed.jobs.job import ClassJob
from cryofed.jobs.programs import TABLE, Program, Start, found_in
from cryofed.jobs.reading import COMPRESSED, check_file

INSIDE = "extra"  # where Scipion keeps what a program wrote


def open_job(path: Path | str) -> ClassJob:
    """Find out which program wrote a 2D classification, and read its last iteration.

    `path`: a job folder of RELION, CryoSPARC or Scipion, one file of an iteration, a stack of images (MRC,
    HDF, TIFF), or a folder of PNG.

    Raises:
        InputError: nothing there, more than one job there, or files that are damaged or do not fit.
    """
    place = Path(path)
    try:
        program, start = _in_folder(place) if place.is_dir() else _of_file(place)
        job = program.reader.open_job(start.file)
    except OSError as error:
        found = error.strerror or str(error)
        raise InputError(place, "job", found, "ask for the right to read it, or copy it again") from None
    notes = (*job.notes, start.note) if start.note else job.notes
    return check_job(replace(job, path=place, notes=notes))


def _in_folder(folder: Path) -> tuple[Program, Start]:
    """The one classification of a folder."""
    jobs = found_in(folder)
    if len(jobs) > 1:
        names = " and ".join(sorted(start.file.name for _, start in jobs)[:2])
        raise InputError(
            folder, "folder", f"{len(jobs)} classifications ({names})", "give one of these files"
        )
    if jobs:
        return jobs[0]
    if (folder / INSIDE).is_dir():
        jobs = found_in(folder / INSIDE) or [job for f in _holding(folder / INSIDE) for job in found_in(f)]
        if len(jobs) == 1:
            return jobs[0]
    inside = list(_holding(folder))
    if inside:
        found = f"no classification of its own, but {len(inside)} inside"
        raise InputError(folder, "folder", found, f"give one, as {inside[0]}")
    raise InputError(
        folder,
        "folder",
        "no 2D classification",
        "give a RELION or CryoSPARC 2D job folder, a stack, or a folder of .png",
    )


def _of_file(path: Path) -> tuple[Program, Start]:
    """The program that takes this file."""
    check_file(path, "job")
    if path.suffix.lower() in COMPRESSED:
        raise InputError(path, "file", "compressed", "unpack it first, and give what was in it")
    for entry in TABLE:
        start = entry.reader.starts(path)
        if start is not None:
            return entry, Start(start)
    try:
        beside = found_in(path.absolute().parent)
    except (OSError, InputError):
        beside = []
    if beside:
        remedy = f"give {beside[0][1].file.name} beside it, or the folder"
        raise InputError(path, "file", "not one to start from", remedy)
    remedy = "give the job folder, an MRC, HDF5 or TIFF stack, or a .png"
    raise InputError(path, "file", f"{path.suffix or 'no ending'}: not one to start from", remedy)


def _holding(folder: Path) -> Iterator[Path]:
    """Folders right inside that hold a classification."""
    for place in sorted(folder.iterdir()):
        try:
            if place.is_dir() and place.name[0] != "." and found_in(place):
                yield place
        except (OSError, InputError):
            continue
