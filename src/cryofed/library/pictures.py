"""What a library keeps of a job's averages: enough to prepare them again after the job is gone."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.job import ClassJob, ClassTable, Images
from cryofed.scoring.features import FEATURES
from cryofed.scoring.prepare import (
    CLIP,
    SIDE,
    circle,
    is_dark,
    job_radius_px,
    normalize,
    prepare,
    resample,
    resampling,
)

WIDE_SIDE = 96  # pixels
WIDE_CROP = WIDE_SIDE / SIDE  # mask radii; the grid is that of the prepared average
# Raise the last number when preparation or features change and their constants do not show it.
PREPARATION = f"{SIDE} {CLIP} {','.join(FEATURES)} 2"

HalfImages = NDArray[np.float16]


def content_hash(job: ClassJob) -> str:
    """SHA-256 over the averages' pixels: the same classification has the same hash wherever it lies."""
    digest = hashlib.sha256(repr(job.averages.shape).encode())
    for average in job.averages:
        digest.update(np.ascontiguousarray(average, "<f4").tobytes())
    return digest.hexdigest()


def prepared_and_wide(job: ClassJob) -> tuple[HalfImages, HalfImages]:
    """What `prepare_job` and `wide` give; the mask and the contrast are looked for only once."""
    radius, dark = job_radius_px(job), is_dark(job.averages)
    prepared: HalfImages = prepare(job.averages, radius, dark).astype(np.float16)
    return prepared, _wide(job.averages, radius, dark)


def wide(job: ClassJob) -> HalfImages:
    """The circle of 1.5 mask radii, `(n, 96, 96)`, mean 0 and deviation 1 inside the mask, not clipped.

    Protein is bright, as in `prepare_job`.
    """
    return _wide(job.averages, job_radius_px(job), is_dark(job.averages))


def _wide(averages: Images, radius_px: float, dark: bool) -> HalfImages:
    images = resample(averages, radius_px * WIDE_CROP, WIDE_SIDE) * (-1 if dark else 1)
    edge = (WIDE_SIDE - SIDE) // 2
    pixels = images[:, edge:-edge, edge:-edge][:, circle(SIDE)]
    mean, deviation = pixels.mean(axis=1), pixels.std(axis=1)
    flat = deviation <= 1e-6 * np.abs(pixels).max(axis=1, initial=0)
    scale = np.where(flat, 0, 1 / np.where(flat, 1, deviation))
    limit = float(np.finfo(np.float16).max)
    scaled = (images - mean[:, None, None]) * scale[:, None, None]
    kept: HalfImages = np.clip(scaled, -limit, limit).astype(np.float16)
    return kept


def prepare_again(pictures: HalfImages, crop: float = 1.0) -> Images:
    """Prepared averages `(n, 64, 64)` from the kept ones; `crop` from 0.5 to 1.5 mask radii.

    At crop 1 this is `prepare_job` of the original to within float16 rounding: both grids coincide.
    """
    if crop == 1.0:
        edge = (WIDE_SIDE - SIDE) // 2
        return normalize(pictures[:, edge:-edge, edge:-edge].astype(np.float32))
    # The kept picture's centre lies between pixels 47 and 48, unlike that of a box.
    weights = resampling(WIDE_SIDE, (WIDE_SIDE - 1) / 2, crop * SIDE / 2)
    return normalize(np.matmul(np.matmul(weights, pictures.astype(np.float32)), weights.T))


def as_job(classes: ClassTable, mask_diameter_angstrom: float | None, pictures: HalfImages) -> ClassJob:
    """The kept pictures as a job on their own grid: the mask's radius is 32 pixels."""
    pixel_size = None if mask_diameter_angstrom is None else mask_diameter_angstrom / SIDE
    return ClassJob(
        program="images",
        path=Path(),
        name="kept",
        averages=pictures.astype(np.float32),
        classes=classes,
        pixel_size_angstrom=pixel_size,
        mask_diameter_angstrom=mask_diameter_angstrom,
    )


def thumbnail(picture: HalfImages) -> bytes:
    """One kept average `(96, 96)` as a PNG, grey from -3 to 5 deviations."""
    from PIL import Image

    grey = np.clip((picture.astype(np.float32) + 3) * (255 / 8), 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "PNG")
    return stream.getvalue()
