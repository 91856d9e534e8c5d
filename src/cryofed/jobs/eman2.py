"""EMAN2: a folder of `e2refine2d` or `e2classaverage`, one of its `classes_NN.hdf`, or a `.lst` of averages.

Source: EMAN2, `EMAN2.py` (class LSXFile) and the layout of its HDF files.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from cryofed.errors import InputError
from cryofed.jobs import images
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.jobs.programs import Start
from cryofed.jobs.reading import AGAIN, MOST_IMAGES, check_file, check_pixels

NAME = re.compile(r"classes_(\d{1,6})\.hdf")
LISTS = (b"#LSX", b"#LST")
MOST_LIST = 64 << 20  # bytes


def starts(path: Path) -> Path | None:
    """The file itself where it is one of EMAN2's classifications, or a list."""
    return path if NAME.fullmatch(path.name) or path.suffix == ".lst" else None


def find(folder: Path) -> list[Start]:
    """The averages of the last iteration in a folder."""
    iterations = [(int(m[1]), f) for f in folder.iterdir() if (m := NAME.fullmatch(f.name)) and f.is_file()]
    return [Start(max(iterations)[1])] if iterations else []


def open_job(path: Path) -> ClassJob:
    """The averages, with EMAN2's own class numbers plus 1 (those of a list: the place in it)."""
    if path.suffix == ".lst":
        return replace(_listed(path), program="eman2")
    job = images.open_job(path)
    return replace(job, program="eman2", name=path.absolute().parent.name, read=path.stem)


def own_folder(job: ClassJob) -> Path | None:
    """The folder of the classification; None for a list, which lies among other files."""
    averages = job.files["averages"].absolute()
    return averages.parent if NAME.fullmatch(averages.name) else None


def _listed(path: Path) -> ClassJob:
    """The images that a list names: a number from 0 and a file in each line."""
    check_file(path, "EMAN2 list")
    with path.open("rb") as file:
        if file.readline(8).strip() not in LISTS or path.stat().st_size > MOST_LIST:
            raise InputError(path, "EMAN2 list", "not a list", "give a .lst, or the classes_NN.hdf")
        lines = [line.split(b"\t") for line in file if line.strip() and not line.startswith(b"#")]
    if not 0 < len(lines) <= MOST_IMAGES:
        raise InputError(path, "EMAN2 list", f"{len(lines):,} images", "give class averages, not particles")
    sources: dict[str, ClassJob] = {}
    chosen = []
    for number, words in enumerate(lines, 1):
        name = words[1].strip().decode("utf-8", "replace") if len(words) > 1 else ""
        if not words[0].strip().isdigit() or len(words[0]) > 10 or not name:
            raise InputError(path, f"image {number}", "no number and file", AGAIN)
        job = sources.get(name) or sources.setdefault(name, _source(path, name))
        at = np.flatnonzero(job.classes.number == int(words[0]) + 1)
        if not len(at):
            raise InputError(path, f"image {number}", f"{name} has no image {int(words[0])}", AGAIN)
        chosen.append((job, int(at[0])))
    check_pixels(path, (len(chosen), *chosen[0][0].averages.shape[1:]))
    if len({job.averages.shape[1:] for job, _ in chosen}) > 1:
        raise InputError(path, "image size", "several sizes", "give averages of one size")
    first = chosen[0][0]
    table = replace(
        ClassTable.unknown(len(chosen)),
        particles=np.array([job.classes.particles[at] for job, at in chosen], np.int64),
    )
    return replace(
        first,
        path=path,
        name=path.stem,
        averages=np.stack([job.averages[at] for job, at in chosen]),
        classes=table,
        read=path.name,
        files={"averages": path},
    )


def _source(path: Path, name: str) -> ClassJob:
    """A stack that a list names, from its own folder or any above: EMAN2 works in the project's folder."""
    for folder in path.absolute().parents:
        place = folder / name
        if place.is_file() and place.suffix.lower() in images.readers():
            return images.open_job(place)
    remedy = "run this in the project's folder, or copy the stack beside the list"
    raise InputError(path, "EMAN2 list", f"{name[:120]}: no such stack", remedy)
