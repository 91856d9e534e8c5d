"""What a finished 2D classification is, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError

Images = NDArray[np.float32]  # (n, y, x)
Program = Literal["relion", "cryosparc", "images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTable:
    """One row per class average, in stack order. What the program did not record is NaN.

    `number` counts from 1, as in RELION. `particles` counts hard assignments, -1 where there is no
    particle table. Resolution in Å, accuracies in degrees and Å, distribution as a share of 1.
    """

    number: NDArray[np.int64]
    particles: NDArray[np.int64]
    resolution_angstrom: NDArray[np.float64]
    distribution: NDArray[np.float64]
    accuracy_rotation_degree: NDArray[np.float64]
    accuracy_translation_angstrom: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.number)

    @staticmethod
    def unknown(n: int) -> ClassTable:
        """A table of n classes numbered from 1 about which nothing else is known."""
        nothing = np.full(n, np.nan)
        return ClassTable(
            number=np.arange(1, n + 1),
            particles=np.full(n, -1),
            resolution_angstrom=nothing,
            distribution=nothing,
            accuracy_rotation_degree=nothing,
            accuracy_translation_angstrom=nothing,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassJob:
    """One finished 2D classification.

    `averages` is `(n, box, box)`, often a read-only memory map, in the program's own grey scale, protein
    bright. `particle_classes` is the class number of every particle, `(m,)` in the order of the file; None
    where there is no particle table. `files` names what the job was read from, by role: RELION `optimiser`,
    `model`, `data`, `averages`; CryoSPARC `templates`, `particles`, `passthrough`, `averages`; images
    `averages`.
    """

    program: Program
    path: Path
    name: str
    averages: Images
    classes: ClassTable
    pixel_size_angstrom: float | None = None
    mask_diameter_angstrom: float | None = None
    particle_classes: NDArray[np.int32] | None = None
    files: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.classes) != len(self.averages):
            raise InputError(
                self.path,
                "classes",
                f"{len(self.classes)} rows for {len(self.averages)} averages",
                "give files of one and the same classification",
            )

    @property
    def box(self) -> int:
        """Side of the averages in pixels."""
        return int(self.averages.shape[-1])

    @property
    def total_particles(self) -> int | None:
        """Particles of all classes; None where there is no particle table."""
        particles = self.classes.particles
        return int(particles.sum()) if len(particles) and particles.min() >= 0 else None

    @property
    def mask_radius_px(self) -> float | None:
        """Radius of the circular mask that the user typed, in pixels, never more than half the box."""
        if self.mask_diameter_angstrom is None or self.pixel_size_angstrom is None:
            return None
        return min(self.mask_diameter_angstrom / self.pixel_size_angstrom / 2, self.box / 2)


def open_job(path: Path | str) -> ClassJob:
    """Find out which program wrote a 2D classification, and read its last iteration.

    `path`: a RELION or CryoSPARC job folder, one file of an iteration, a stack of images (MRC, HDF, TIFF),
    or a folder of PNG.

    Raises:
        InputError: nothing there, more than one job there, or files that are damaged or do not fit.
    """
    from cryofed.jobs import cryosparc, images, relion
    from cryofed.jobs.check import check_job

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
    from cryofed.jobs import cryosparc, images, relion
    from cryofed.jobs.mrc import check_file

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
    from cryofed.jobs import cryosparc, images, relion
    from cryofed.jobs.mrc import check_file

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
    from cryofed.jobs import cryosparc, relion

    try:
        return bool(relion.find_iterations(folder) or cryosparc.find_iterations(folder))
    except OSError:
        return False
