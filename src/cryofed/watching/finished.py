"""Which 2D classifications of a project are finished, and whether their files have come to rest."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryofed.errors import InputError
from cryofed.jobs import cryosparc, relion
from cryofed.jobs.reading import read_json
from cryofed.library.harvest.cryosparc import is_classification
from cryofed.library.harvest.relion import PIPELINE
from cryofed.library.harvest.walk import job_folders

SUCCESS = "RELION_JOB_EXIT_SUCCESS"
CRYOSPARC_JOB = re.compile(r"J\d+")
BLOCK = 1 << 22  # bytes read at a time

State = tuple[tuple[str, int, int], ...]  # name, bytes and time of change of every file


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The last iteration of a finished classification.

    `name` is what the summary calls it, such as `Class2D/job012/run_it025`; `start` is what `open_job`
    takes; `state` changes whenever a file of it does.
    """

    name: str
    start: Path
    files: tuple[Path, ...]
    state: State

    @property
    def age_s(self) -> float:
        """Seconds since the last change of a file."""
        return time.time() - max(changed for _, _, changed in self.state) / 1e9


def finished(project: Path) -> Iterator[Finished]:
    """Every finished 2D classification of a RELION or CryoSPARC project.

    Raises:
        InputError: the project's folder cannot be read.
    """
    try:
        relion_jobs = job_folders(project / "Class2D") if (project / "Class2D").exists() else []
        cryosparc_jobs = [f for f in job_folders(project) if CRYOSPARC_JOB.fullmatch(f.name)]
    except OSError as error:
        raise InputError(
            project, "project", error.strerror or str(error), "is the disk there, and may you read it?"
        ) from None
    for folder in relion_jobs:
        yield from _relion(project, folder)
    for folder in cryosparc_jobs:
        yield from _cryosparc(project, folder)


def passed(project: Path) -> dict[str, str]:
    """What looks like a job and cannot be watched, by name, and why."""
    reasons = {}
    for entry in sorted((project / "Class2D").glob("job*")):
        if not entry.is_dir():
            reasons[f"Class2D/{entry.name}"] = "no folder; if it was a link, its target is not here"
        elif not os.access(entry, os.R_OK | os.X_OK):
            reasons[f"Class2D/{entry.name}"] = "may not be read"
    return reasons


def is_project(folder: Path) -> bool:
    """Whether RELION or CryoSPARC works here."""
    if not folder.is_dir():
        return False
    if (folder / PIPELINE).is_file() or (folder / "Class2D").is_dir():
        return True
    return any(CRYOSPARC_JOB.fullmatch(f.name) and (f / "job.json").is_file() for f in folder.iterdir())


def content_hash(files: tuple[Path, ...]) -> str:
    """SHA-256 over the contents, wherever they lie; a touched or moved file is the same file."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.stat().st_size.to_bytes(8, "little"))
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()


def _relion(project: Path, folder: Path) -> Iterator[Finished]:
    try:
        if not (folder / SUCCESS).exists():
            return
        starts = relion.find(folder)
    except OSError:
        return  # it is being deleted; look again next time
    for start, _ in starts:
        stem = relion.stem_of(start)
        files = [start.with_name(f"{stem}_{role}{suffix}") for role, suffix in relion.SUFFIX.items()]
        yield from _complete(project, folder, stem, start, files)


def _cryosparc(project: Path, folder: Path) -> Iterator[Finished]:
    try:
        document = read_json(folder / "job.json")
        completed = is_classification(document) and document.get("status") == "completed"
        starts = cryosparc.find(folder) if completed else []
    except (InputError, OSError, AttributeError):
        return  # being written, deleted, or of another kind
    for start, _ in starts:
        stem = start.stem.removesuffix("_class_averages")
        particles = cryosparc.particles_of(start)
        if particles is not None:
            yield from _complete(project, folder, stem, start, [start, start.with_suffix(".mrc"), particles])


def _complete(project: Path, folder: Path, stem: str, start: Path, files: list[Path]) -> Iterator[Finished]:
    """The job, where all of its files are there and hold something."""
    try:
        state = tuple((f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files)
    except OSError:
        return
    if all(size for _, size, _ in state):
        name = f"{folder.relative_to(project).as_posix()}/{stem}"
        yield Finished(name=name, start=start, files=tuple(files), state=state)
