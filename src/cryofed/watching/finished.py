"""Which 2D classifications of a project are finished, and whether their files have come to rest."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryofed.errors import InputError
from cryofed.jobs import cryosparc, relion
from cryofed.library.harvest.cryosparc import job_type
from cryofed.library.harvest.relion import PIPELINE

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
        relion_jobs = _folders(project / "Class2D")
        cryosparc_jobs = [f for f in _folders(project) if CRYOSPARC_JOB.fullmatch(f.name)]
    except OSError as error:
        raise InputError(
            project, "project", error.strerror or str(error), "is the disk there, and may you read it?"
        ) from None
    for folder in relion_jobs:
        yield from _relion(project, folder)
    for folder in cryosparc_jobs:
        yield from _cryosparc(project, folder)


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
        starts = relion.find_iterations(folder)
    except OSError:
        return  # it is being deleted; look again next time
    for start in starts:
        stem = start.stem[: -len(relion.NAME.fullmatch(start.stem)["role"])]  # type: ignore[index]  # find_iterations matched it
        files = [start.with_name(f"{stem}{role}{suffix}") for role, suffix in relion.SUFFIX.items()]
        yield from _complete(project, folder, stem.rstrip("_"), start, files)


def _cryosparc(project: Path, folder: Path) -> Iterator[Finished]:
    try:
        document = json.loads((folder / "job.json").read_text())
        completed = job_type(document).startswith("class_2D") and document.get("status") == "completed"
        starts = cryosparc.find_iterations(folder) if completed else []
    except (OSError, ValueError, AttributeError):
        return  # being written, deleted, or of another kind
    for start in starts:
        stem = start.stem.removesuffix("_class_averages")
        particles = start.with_name(f"{stem}_particles.cs")
        if not particles.exists():
            particles = start.with_name(f"{re.sub('_[0-9]+$', '', stem)}_particles.cs")
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


def _folders(place: Path) -> list[Path]:
    """Folders in a place, without links (RELION's aliases point to the same jobs)."""
    if not place.exists():
        return []
    return sorted(f for f in place.iterdir() if f.is_dir() and not f.is_symlink())
