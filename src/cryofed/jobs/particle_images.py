"""Some particles of one class, from the stacks that the job names, where these are still there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError
from cryofed.jobs import star
from cryofed.jobs.cryosparc import read_cs
from cryofed.jobs.job import ClassJob, Images
from cryofed.jobs.mrc import read_mrc
from cryofed.jobs.rows import ParticleRows

MOST = 24  # particles
IMAGE = b"_rlnImageName"
AWAY = "copy the stacks back, or look on a machine that has them"

Place = tuple[str, int]  # a stack as the job names it, and an image in it from 0


def particle_images(job: ClassJob, number: int, most: int = MOST) -> Images:
    """`(k, y, x)`: up to `most` particles of a class, spread over the job's order; not aligned.

    Raises:
        InputError: the job has no particle table or names no images, or a stack is not there.
    """
    if job.particle_classes is None:
        raise InputError(job.path, "particles", "no particle table", "give the whole job")
    rows = np.flatnonzero(job.particle_classes == number)
    chosen = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)]
    if job.particle_rows is not None:
        places = list(_of_star(job.particle_rows, chosen))
    else:
        places = _of_datasets(job, chosen)
    stacks: dict[str, Images] = {}
    images: list[Images] = []
    for stack, index in places:
        if stack not in stacks:
            stacks[stack] = read_mrc(_find(job, stack))[0]
        if not 0 <= index < len(stacks[stack]) or (images and images[0].shape != stacks[stack].shape[1:]):
            raise InputError(stack, "image", f"no image {index + 1} of that size", AWAY)
        images.append(np.asarray(stacks[stack][index], np.float32))
    return np.stack(images) if images else np.zeros((0, job.box, job.box), np.float32)


def _of_star(particles: ParticleRows, rows: NDArray[np.int64]) -> Iterator[Place]:
    """`000012@Extract/job004/mic.mrcs`, as RELION writes it: images count from 1."""
    columns = _columns(particles.head)
    if IMAGE not in columns:
        raise InputError(particles.path, "rlnImageName", "no such column", "give the whole job")
    column = columns.index(IMAGE)
    with particles.path.open("rb") as file:
        for row in rows:
            file.seek(int(particles.first[row]))
            values = star.values(particles.path, file.read(int(particles.size[row])).strip(), int(row) + 1)
            image, _, stack = star.text(values[column]).partition("@")
            if not stack or not image.isdigit():
                raise InputError(particles.path, "rlnImageName", f"{image[:40]!r}", "expected NUMBER@STACK")
            yield stack, int(image) - 1


def _columns(head: bytes) -> Sequence[bytes]:
    """The labels of the last loop before the rows."""
    columns: list[bytes] = []
    for line in head.splitlines():
        if line.strip() == b"loop_":
            columns = []
        elif line.lstrip().startswith(b"_"):
            columns.append(line.split()[0])
    return columns


def _of_datasets(job: ClassJob, rows: NDArray[np.int64]) -> list[Place]:
    """`blob/path` and `blob/idx`, in the particles themselves or in what was passed through."""
    particles = read_cs(job.files["particles"]) if "particles" in job.files else None
    if particles is None:
        raise InputError(job.path, "particles", "no images are named", "give the whole job")
    chosen = particles[rows]
    if "blob/path" not in (chosen.dtype.names or ()) and "passthrough" in job.files:
        passed = read_cs(job.files["passthrough"])
        chosen = (
            passed[np.isin(passed["uid"], chosen["uid"])] if "uid" in (passed.dtype.names or ()) else chosen
        )
    if not {"blob/path", "blob/idx"} <= set(chosen.dtype.names or ()):
        raise InputError(job.files["particles"], "blob/path", "no such field", "give the whole job")
    return [
        (bytes(row["blob/path"]).decode("utf-8", "replace").rstrip("\0"), int(row["blob/idx"]))
        for row in chosen
    ]


def _find(job: ClassJob, stack: str) -> Path:
    """A path that a program wrote is seen from its project, which is a folder above the job."""
    named = PurePosixPath(stack.removeprefix(">"))
    start = next(iter(job.files.values())).absolute().parent
    for folder in (start, *start.parents):
        if (folder / named).is_file():
            return folder / named
    raise InputError(stack, "particle stack", "not on this machine", AWAY)
