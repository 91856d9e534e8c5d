"""Find out which program wrote a 2D classification, and read it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cryofed.errors import InputError
from cryofed.jobs import cryosparc, images, relion
from cryofed.jobs.check import check_job
from cryofed.jobs.job import ClassJob
from cryofed.jobs.mrc import check_file


def open_job(path: Path | str) -> ClassJob:
    """Find out which program wrote a 2D classification, and read its last iteration.

    `path`: a RELION or CryoSPARC job folder, one file of an iteration, a stack of images (MRC, HDF, TIFF),
    or a folder of PNG.

    Raises:
        InputError: nothing there, more than one job there, or files that are damaged or do not fit.
    """
    found = _one_start(Path(path))
    if relion.is_relion(found):
        job = relion.open_relion(found)
    elif found.suffix == ".cs":
        job = cryosparc.open_cryosparc(found)
    else:
        job = images.open_images(found)
    return check_job(replace(job, path=Path(path)))


def _one_start(path: Path) -> Path:
    """The file to start from (or the folder of PNG); refuses a folder with no job, or with several."""
    if not path.is_dir():
        return _start_of_file(path)
    try:
        stacks = [f for f in sorted(path.iterdir()) if f.suffix.lower() in set(images.readers()) - {".png"}]
        jobs = [*relion.find_iterations(path), *cryosparc.find_iterations(path)]
        pngs = images.png_files(path)
        inside = [] if jobs else [d for d in sorted(path.iterdir()) if d.is_dir() and _holds_job(d)]
    except OSError as error:
        raise InputError(
            path, "folder", error.strerror or str(error), "ask for the right to read it"
        ) from None
    if len(jobs) > 1:
        names = " and ".join(sorted(job.name for job in jobs)[:2])
        raise InputError(path, "folder", f"{len(jobs)} classifications ({names})", "give one of these files")
    if jobs:
        if (
            relion.is_relion(jobs[0])
            and (path / "backup_selection.star").exists()
            and "_it" not in jobs[0].name
        ):
            raise InputError(path, "folder", "a selection", "give the Class2D job that it was made from")
        return jobs[0]
    if inside:
        found = f"no classification of its own, but {len(inside)} inside"
        raise InputError(path, "folder", found, f"give one, as {inside[0]}")
    if pngs:
        return path
    if len(stacks) == 1:
        check_file(stacks[0], "stack")
        return stacks[0]
    found = f"{len(stacks)} stacks, no table of classes" if stacks else "no 2D classification"
    raise InputError(
        path, "folder", found, "give a RELION or CryoSPARC 2D job folder, a stack, or a folder of .png"
    )


def _start_of_file(path: Path) -> Path:
    check_file(path, "job")
    if relion.is_relion(path):
        stem = path.stem.rpartition("_")[0]
        alone = path.suffix == ".mrcs" and not any(
            path.with_name(f"{stem}_{role}.star").exists() for role in ("model", "optimiser")
        )
        if not alone:
            return path
    beside = path.with_suffix(".cs")
    if cryosparc.NAME.fullmatch(path.stem) and beside.exists():
        return beside
    if path.suffix == ".cs":
        raise InputError(path, "name", path.name, "give the job folder, or its …_class_averages.cs")
    if path.suffix.lower() not in images.readers():
        endings = " ".join(images.readers())
        raise InputError(path, "file ending", path.suffix or "none", f"give a folder, or one of {endings}")
    return path


def _holds_job(folder: Path) -> bool:
    try:
        return bool(relion.find_iterations(folder) or cryosparc.find_iterations(folder))
    except OSError:
        return False
