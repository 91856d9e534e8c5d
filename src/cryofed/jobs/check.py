"""What every job must be before anything is computed from it."""

from __future__ import annotations

import numpy as np

from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob

SMALLEST_BOX = 16  # pixels; below this no shape can be told
FEWEST_PARTICLES = 10  # an average of fewer shows noise, whatever it holds; users may name another number


def check_job(job: ClassJob) -> ClassJob:
    """Refuse a job that cannot be scored: too few or too small averages, no numbers, no contrast."""
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
    lowest, highest = job.averages.min(axis=(1, 2)), job.averages.max(axis=(1, 2))  # NaN if any pixel is
    number = job.classes.number
    broken = ~np.isfinite(lowest) | ~np.isfinite(highest)
    if broken.any():
        found = f"class {number[broken][0]} has pixels that are no numbers"
        raise InputError(where, "pixels", found, "run the classification again, or copy the file again")
    if max(-lowest.min(), highest.max()) > 1e20:
        raise InputError(
            where, "pixels", f"values up to {highest.max():.3g}", "the byte order is wrong; copy again"
        )
    # An empty class is blank in RELION and CryoSPARC; any other blank average is an accident.
    particles = job.classes.particles
    blank = (lowest == highest) & ((particles < 0) | (particles >= FEWEST_PARTICLES))
    if blank.any():
        found = f"class {number[blank][0]} is constant"
        raise InputError(where, "pixels", found, "leave it out, or copy the file again")
    return job
