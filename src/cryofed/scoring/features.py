"""Scale-free numbers beside the image: what the program's table says of a class, within its job."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.job import ClassJob, Images

FEATURES = (
    "particles_in_job",  # robust z of log10 particles among the job's classes
    "resolution_in_job",  # robust z of log resolution among the job's classes, better is higher
    "resolution_per_mask",  # log2 of mask diameter over resolution: resolved rings across the particle
    "accuracy_rotation_in_job",  # robust z of log accuracy, better is higher
    "accuracy_translation_in_job",
    "contrast_in_job",  # log2 of an average's deviation over the job's median, if the scale is one
)
LIMIT = 4.0  # every feature is clipped to ± this
FEW = 8  # averages whose pixels are held in 64 bits at a time
ONE_BY_ONE = 0.05  # quartile distance of log (highest - lowest) below which each average has its own scale


def features(job: ClassJob) -> NDArray[np.float32]:
    """`(n, F)` numbers in [-4, 4], NaN where the job does not tell."""
    table = job.classes
    particles = np.where(table.particles >= 0, np.log10(np.maximum(table.particles, 0) + 1), np.nan)
    resolution = _known(table.resolution_angstrom)
    columns = [
        robust_z(particles),
        -robust_z(np.log2(resolution)),
        np.log2((job.mask_diameter_angstrom or np.nan) / resolution) - 2,
        -robust_z(np.log2(_known(table.accuracy_rotation_degree))),
        -robust_z(np.log2(_known(table.accuracy_translation_angstrom))),
        contrast_in_job(job.averages),
    ]
    result: NDArray[np.float32] = np.clip(np.stack(columns, axis=1), -LIMIT, LIMIT).astype(np.float32)
    return result


def contrast_in_job(averages: Images) -> NDArray[np.float64]:
    """`(n,)` log2 of each average's standard deviation over the median of the job's; NaN where unknown.

    Noise that was averaged is flat beside averaged particles, in every program that writes all averages of a
    job on one grey scale. A gallery that stretches each picture to black and white has lost this: its
    pictures have all the same lowest and highest value, and nothing is told. Flat averages are unknown.
    """
    lowest, highest = averages.min(axis=(1, 2)), averages.max(axis=(1, 2))
    span, deviation = np.asarray(highest - lowest, np.float64), _deviation(averages)
    lively = np.isfinite(span) & (span > 0) & (deviation > 0)
    result = np.full(len(averages), np.nan)
    if not lively.any():
        return result
    low, high = np.percentile(np.log(span[lively]), [25, 75])
    if high - low >= ONE_BY_ONE:
        result[lively] = np.log2(deviation[lively] / np.median(deviation[lively]))
    return result


def _deviation(averages: Images) -> NDArray[np.float64]:
    """`(n,)` standard deviations, a few averages at a time: in 64 bits all of them would need much memory."""
    parts = [
        averages[first : first + FEW].std(axis=(1, 2), dtype=np.float64)
        for first in range(0, len(averages), FEW)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def robust_z(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the median in robust deviations (1.4826 × MAD); NaN stays NaN, no spread is 0."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.full_like(values, np.nan)
    middle = np.median(known)
    spread = 1.4826 * np.median(np.abs(known - middle))
    return np.where(np.isfinite(values), (values - middle) / spread if spread > 1e-9 else 0 * values, np.nan)


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # RELION writes inf or nan for no resolution, and 999 for an accuracy that it could not estimate.
    return np.where(np.isfinite(values) & (values > 0) & (values < 999), values, np.nan)
