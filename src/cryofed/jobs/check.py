"""What every job must be before anything is computed from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob

SMALLEST_BOX = 16  # pixels; below this no shape can be told
FEWEST_PARTICLES = 10  # an average of fewer shows noise, whatever it holds; users may name another number
LARGEST = 1e20  # grey values beyond this are a wrong byte order


def check_job(job: ClassJob) -> ClassJob:
    """Refuse a job that cannot be scored; blank those averages that hold no picture, and say which.

    An average without contrast, or with pixels that are no numbers, leaves only its own class unscored.

    Raises:
        InputError: too few or too small averages, no square ones, or none that holds a picture.
    """
    where = job.files.get("averages", job.path)
    n, height, width = job.averages.shape
    if n < 2:
        raise InputError(
            where, "averages", f"{n} class", "classes are judged beside each other; give two or more"
        )
    if height != width:
        raise InputError(where, "box", f"{width} × {height} pixels", "give square averages")
    if height < SMALLEST_BOX:
        raise InputError(
            where, "box", f"{width} × {height} pixels", f"give at least {SMALLEST_BOX} × {SMALLEST_BOX}"
        )
    with np.errstate(invalid="ignore"):
        lowest, highest = job.averages.min(axis=(1, 2)), job.averages.max(axis=(1, 2))  # NaN if any pixel is
        broken = ~(np.maximum(-lowest, highest) <= LARGEST)
    number, particles = job.classes.number, job.classes.particles
    if broken.all():
        found = f"class {number[0]} has pixels that are no numbers, and so has every other class"
        raise InputError(where, "pixels", found, "run the classification again, or copy the file again")
    flat = ~broken & (lowest == highest)
    # An empty class is blank in RELION and CryoSPARC, and a small one is not scored: neither needs a word.
    unusual = flat & ((particles < 0) | (particles >= FEWEST_PARTICLES))
    if (broken | unusual).all():
        raise InputError(where, "pixels", "every class is constant", "copy the file again")
    notes = list(job.notes)
    if broken.any():
        notes.append(f"{_classes(number[broken])}: pixels that are no numbers; not scored")
    if unusual.any():
        notes.append(f"{_classes(number[unusual])}: a constant average; not scored")
    averages = job.averages
    if broken.any():
        averages = np.array(averages)
        averages[broken] = 0
    return replace(job, averages=averages, notes=tuple(notes))


def _classes(numbers: np.ndarray[tuple[int], np.dtype[np.int64]]) -> str:
    shown = ", ".join(map(str, numbers[:5].tolist()))
    return f"class{'es' if len(numbers) > 1 else ''} {shown}{', …' if len(numbers) > 5 else ''}"
