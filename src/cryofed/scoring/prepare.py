"""Crop every class average to its mask, resample it to 64 × 64 and normalize it. NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.job import ClassJob, Images

SIDE = 64  # pixels of a prepared average
CLIP = (-5.0, 8.0)  # deviations; protein is bright, so the upper side reaches farther


def prepare_job(job: ClassJob, crop: float = 1.0) -> Images:
    """The averages of a job as the network sees them, `(n, 64, 64)`.

    `crop` widens (> 1) or narrows (< 1) the circle that fills the picture.
    """
    radius = job.mask_radius_px or job.box / 2
    return prepare(job.averages, radius * crop)


def prepare(averages: Images, radius_px: float) -> Images:
    """Resample the circle of `radius_px` around each centre to 64 × 64, scaled inside the circle.

    Inside: mean 0, deviation 1, clipped to `CLIP`; outside: 0. A flat average becomes all 0. Pixels that
    the circle reaches beyond the box repeat the box's edge. The centre is pixel `box // 2` (RELION's).

    Args:
        averages: `(n, box, box)`, any grey scale, protein bright.
        radius_px: radius in pixels, above 0.
    """
    box = averages.shape[-1]
    weights = resampling(box, box // 2, radius_px)
    small = np.matmul(np.matmul(weights, np.asarray(averages, np.float32)), weights.T)
    return normalize(small)


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
    columns = np.clip(reach, 0, box - 1).astype(int)  # repeat the edge
    for column, values in zip(columns, kernel.T, strict=True):
        weights[:, column] += values
    return weights
