"""Crop every class average to its mask, resample it to 64 × 64 and normalize it. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.job import ClassJob, Images

SIDE = 64  # pixels of a prepared average
CLIP = (-5.0, 8.0)  # deviations; protein is bright, so the upper side reaches farther
SAMPLE = 32  # averages looked at to find what a whole job shares
FLAT = 0.05  # deviations; 8-bit pictures have a grey level or two of ripple where RELION has 0
DARK = -0.5  # deviations from centre to rim; junk alone stays within ±0.3


def prepare_job(job: ClassJob, crop: float = 1.0) -> Images:
    """The averages of a job as the network sees them, `(n, 64, 64)`.

    `crop` widens (> 1) or narrows (< 1) the circle that fills the picture.
    """
    return prepare_crops(job, [crop])[0]


def prepare_crops(job: ClassJob, crops: Sequence[float]) -> list[Images]:
    """The same for several crops; what the whole job shares is found once."""
    seen = mask_seen_px(job.averages)
    radius = seen or job.mask_radius_px or job.box / 2
    dark = is_dark(job.averages, seen or job.box / 2)
    return [prepare(job.averages, radius * crop, dark=dark) for crop in crops]


def job_radius_px(job: ClassJob) -> float:
    """The radius that fills the picture: the mask seen in the averages, else the one typed, else the box.

    What is seen comes first, so that scores do not depend on the diameter and pixel size that a user typed.
    """
    return mask_seen_px(job.averages) or job.mask_radius_px or job.box / 2


def prepare(averages: Images, radius_px: float, dark: bool = False) -> Images:
    """Resample the circle of `radius_px` around each centre to 64 × 64, scaled inside the circle.

    Inside: mean 0, deviation 1, clipped to `CLIP`; outside: 0. A flat average becomes all 0.

    Args:
        averages: `(n, box, box)`, any grey scale.
        radius_px: radius in pixels, above 0.
        dark: the particles are darker than their surroundings and the grey scale is turned over.
    """
    return normalize(resample(averages, radius_px, SIDE) * (-1 if dark else 1))


def resample(averages: Images, radius_px: float, side: int) -> Images:
    """The square around the circle of `radius_px`, as `(n, side, side)`.

    The centre is pixel `box // 2` (RELION's). The mean of the box's border is taken off first and stands
    for what lies beyond the box.
    """
    box = averages.shape[-1]
    weights = resampling(box, box // 2, radius_px, side)
    averages = np.asarray(averages, np.float32)
    beyond = averages[(slice(None), *_border(box))].mean(axis=1)[:, None, None]
    result: Images = np.matmul(np.matmul(weights, averages), weights.T)
    total = weights.sum(axis=1)
    result -= beyond * np.outer(total, total)
    return result


def mask_seen_px(averages: Images) -> float | None:
    """Radius beyond which every average is flat (RELION's zero mask), in pixels; None where there is none."""
    sample = np.asarray(averages[:: max(1, len(averages) // SAMPLE)], np.float32)
    box = sample.shape[-1]
    if box < 16:
        return None
    border = sample[(slice(None), *_border(box))]
    outside = border.mean(axis=1)
    deviation = sample.std(axis=(1, 2))
    some = deviation > 0
    if not some.any() or np.median(border[some].std(axis=1) / deviation[some]) > FLAT:
        return None
    away = np.abs(sample[some] - outside[some, None, None]) / deviation[some, None, None]
    lively = np.median(away, axis=0) > FLAT  # (y, x); the median forgives one odd class
    radius = _radii(box)
    share = [lively[(radius >= r) & (radius < r + 1)].mean() for r in range(box // 2)]
    seen = np.flatnonzero(np.array(share) > 0.5)
    last = float(seen[-1] + 1) if len(seen) else 0.0
    return last if box / 8 < last < box / 2 - 1 else None


def is_dark(averages: Images, radius_px: float | None = None) -> bool:
    """Whether the particles are darker than their surroundings in most averages of a job, and clearly so.

    `radius_px`: the mask seen in them, or half the box; found here if not given.
    """
    sample = np.asarray(averages[:: max(1, len(averages) // SAMPLE)], np.float32)
    box = sample.shape[-1]
    radius = _radii(box) / ((radius_px or mask_seen_px(averages) or box / 2) * 0.98)
    deviation = sample[:, radius < 1].std(axis=1)
    centre, rim = sample[:, radius < 0.4], sample[:, (radius > 0.8) & (radius < 1)]
    if not centre.size or not rim.size or not (deviation > 0).any():
        return False
    contrast = (centre.mean(axis=1) - rim.mean(axis=1))[deviation > 0] / deviation[deviation > 0]
    return bool(np.median(contrast) < DARK)


def normalize(images: Images) -> Images:
    """Mean 0 and deviation 1 inside the inscribed circle, 0 outside, clipped to `CLIP`."""
    side = images.shape[-1]
    inside = circle(side)
    pixels = images[:, inside]
    mean = pixels.mean(axis=1, keepdims=True)
    deviation = pixels.std(axis=1, keepdims=True)
    # A flat average has rounding noise for a deviation; it must not be blown up to 1.
    flat = deviation <= 1e-6 * np.abs(pixels).max(axis=1, keepdims=True, initial=0)
    scaled = np.where(flat, 0, (pixels - mean) / np.where(flat, 1, deviation))
    result = np.zeros_like(images)
    result[:, inside] = np.clip(scaled, *CLIP)
    return result


def circle(side: int) -> NDArray[np.bool_]:
    """Pixels of the inscribed circle of a `side × side` picture."""
    axis = np.arange(side) - (side - 1) / 2
    inside: NDArray[np.bool_] = np.hypot(axis[:, None], axis[None, :]) <= side / 2
    return inside


def resampling(box: int, centre_px: float, radius_px: float, side: int = SIDE) -> NDArray[np.float32]:
    """Weights `(side, box)` that resample one axis: a triangle filter as wide as the coarser grid."""
    step = 2 * radius_px / side
    positions = centre_px + (np.arange(side) - (side - 1) / 2) * step
    width = max(step, 1.0)
    reach = np.arange(np.floor(positions[0] - width), np.ceil(positions[-1] + width) + 1)
    kernel = np.maximum(0, 1 - np.abs(positions[:, None] - reach[None, :]) / width)
    kernel /= kernel.sum(axis=1, keepdims=True)
    weights = np.zeros((side, box), np.float32)
    held = (reach >= 0) & (reach < box)  # what lies beyond the box has weight 0
    weights[:, reach[held].astype(int)] = kernel[:, held]
    return weights


def _radii(box: int) -> NDArray[np.float64]:
    axis = np.arange(box) - box // 2
    result: NDArray[np.float64] = np.hypot(axis[:, None], axis[None, :])
    return result


def _border(box: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the outermost pixels."""
    edge = np.zeros((box, box), bool)
    edge[[0, -1]] = edge[:, [0, -1]] = True
    rows, columns = np.nonzero(edge)
    return rows, columns
