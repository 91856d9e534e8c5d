"""What is known of every simulated class, and the graded target that follows from it alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.job import ClassJob, Images
from cryofed.simulation.imaging.projection import circular_mask
from cryofed.simulation.imaging.spectrum import back, correlation, spread, transform

GOOD = 0.5  # quality from which a class counts as good
BORDERLINE = (0.38, 0.62)  # an expert could go either way


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One row per class, in the order of the job's averages.

    `purity` is the share of true, centred particles; `correlation` and `frc_resolution_angstrom` compare
    the average with the noise-free projection at the class's own view (0 and the box where there is
    none); `resolution_ratio` is that resolution over the molecule's diameter. `quality` in [0, 1] is the
    graded target. `reason` indexes `scoring.reasons.REASONS`, -1 for good classes. `view` `(n, 3)` is
    the direction of view in the molecule's frame, NaN for junk; `molecule` indexes `molecules`, -1 none.
    """

    purity: NDArray[np.float64]
    view_spread_degree: NDArray[np.float64]
    correlation: NDArray[np.float64]
    frc_resolution_angstrom: NDArray[np.float64]
    resolution_ratio: NDArray[np.float64]
    offset_angstrom: NDArray[np.float64]
    quality: NDArray[np.float64]
    good: NDArray[np.bool_]
    borderline: NDArray[np.bool_]
    junk: tuple[str, ...]
    junk_share: NDArray[np.float64]
    reason: NDArray[np.int8]
    molecule: NDArray[np.int64]
    molecules: tuple[str, ...]
    view: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedJob:
    """A 2D classification as the job reader gives it, and what is known of its classes.

    `ssnr` `(n, box // 2 + 1)` is the signal-to-noise ratio by shell that the program believes.
    """

    job: ClassJob
    truth: Truth
    ssnr: NDArray[np.float32]


def ramp(
    values: NDArray[np.float64], low: NDArray[np.float64] | float, high: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """0 up to `low`, 1 from `high`, straight between; `high` may lie below `low`."""
    return np.clip((values - low) / (np.asarray(high) - low), 0, 1)


def quality(
    purity: NDArray[np.float64],
    likeness: NDArray[np.float64],
    resolution_ratio: NDArray[np.float64],
    offset_ratio: NDArray[np.float64],
    coarser: NDArray[np.float64] | float = 1.0,
) -> NDArray[np.float64]:
    """The graded target in [0, 1], from objective facts only.

    A class is worth keeping as far as its particles are true (0 up to 35 %, full from 90 %), its average
    looks like the molecule (correlation 0.6 to 0.95) and resolves it (resolution from 0.45 of the
    diameter, on a log scale, to 0.08), and as it is centred (full up to a tenth of the diameter off, none
    from 0.35). Likeness and resolution go in as their geometric mean: both measure the same picture.
    `coarser` is how many times the resolution is worse than as many particles in perfect alignment would
    give: full up to 1.8, none from 3.5, where noise is no excuse and the views do not agree.
    """
    resolved = ramp(np.log(np.maximum(resolution_ratio, 1e-6)), np.log(0.45), np.log(0.08))
    picture = np.sqrt(ramp(likeness, 0.6, 0.95) * resolved)
    aligned = ramp(np.asarray(coarser, np.float64), 3.5, 1.8)
    return ramp(purity, 0.35, 0.9) * picture * ramp(offset_ratio, 0.35, 0.1) * aligned


def compare(
    averages: Images,
    references: Images,
    weights: NDArray[np.float32],
    radius_px: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlation, and the resolution in cycles per box, of averages against noise-free references.

    Both are cut out by a soft circle of `radius_px` (n,) and the particle's own outline in it: a thin chain
    is judged where it is, not by the noise beside it. The correlation is taken after the filter `weights`
    (n, box, box // 2 + 1), so that unfiltered noise beyond the resolution does not count. The resolution
    is where the ring correlation first falls below 0.5, as against a known map (0.143 is for half maps:
    sqrt(2 × 0.143 / 1.143) = 0.5; Rosenthal & Henderson 2003).
    """
    box = averages.shape[-1]
    masks = np.stack([circular_mask(box, r, 0.08 * box) for r in radius_px]) * outlines(references, radius_px)
    seen, true = transform(averages * masks), transform(references * masks)
    curves = correlation(seen, true, box)
    curves[:, 0] = 1
    cut = _first_below(curves, 0.5)
    filtered = [np.fft.irfft2(f * weights, s=(box, box)) for f in (seen, true)]
    likeness = np.zeros(len(averages))
    for i, (a, b, m) in enumerate(zip(*filtered, masks, strict=True)):
        inside = m > 0.5
        x, y = a[inside], b[inside]
        x, y = x - x.mean(), y - y.mean()
        likeness[i] = float((x * y).sum() / max(np.sqrt((x * x).sum() * (y * y).sum()), 1e-20))
    return likeness, cut


def outlines(references: Images, radius_px: NDArray[np.float64]) -> Images:
    """Soft masks around what the references show, about a tenth of the diameter beyond its rim, `(n, y, x)`.

    They follow the local strength of the reference within 0.09 of `radius_px`: 0 up to a tenth of the
    strength that is usual in it, 1 from three tenths.
    """
    box = references.shape[-1]
    shell = np.arange(box // 2 + 1)
    blur = np.exp(-2 * np.square(np.pi * 0.09 * radius_px[:, None] * shell / box))
    strength = np.sqrt(np.maximum(back(transform(np.square(references)) * spread(blur, box), box), 0))
    usual = np.square(strength).sum(axis=(1, 2)) / np.maximum(strength.sum(axis=(1, 2)), 1e-20)
    return ramp(strength / np.maximum(usual, 1e-20)[:, None, None], 0.1, 0.3).astype(np.float32)


def _first_below(curves: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """The shell, between whole ones by a straight line, at which each curve first falls below `level`."""
    result = np.full(len(curves), curves.shape[1] - 1.0)
    for i, curve in enumerate(curves):
        below = np.flatnonzero(curve < level)
        if len(below):
            s = int(below[0])
            result[i] = max(s - 1 + (curve[s - 1] - level) / max(curve[s - 1] - curve[s], 1e-9), 0.5)
    return result
