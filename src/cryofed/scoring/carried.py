"""The calibration of a model that was trained on from another one. NumPy only.

How jobs differ (`in_job.Jobs`) is said in the calibrated logits of the model that a federation began with.
Slope and offset that were fitted to a few labels alone would be another scale: where these labels are hard to
foretell it is a shorter one, and every class of every job would lie halfway. So labels say only how far the
new model's logits moved. Both models are fitted to the same averages, and what is odd about these averages
and their expert is in both fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cryofed.scoring.calibration import Calibration

# No labels say more: those that are told apart without error would ask for any slope, as a hostile site may.
STRETCH, SHIFT = (1 / 3, 3.0), (-2.0, 2.0)
ALONE = ((0.2, 5.0), (-3.0, 3.0))  # slope and offset where each class is judged by itself
TELLS = 0.05  # a slope from which the earlier model tells good from bad at all


@dataclass(frozen=True, slots=True)
class Fits:
    """Slope and offset (Platt 1999) of two models on the same labelled averages."""

    earlier: tuple[float, float]
    later: tuple[float, float]


def carried(parent: Calibration, fits: Sequence[Fits]) -> Calibration:
    """What the later model's logits mean, where the earlier one's mean what `parent` says.

    Of several sites the middle one counts, whatever a single one says. Without a fit the parent's stays.
    A parent that judges each class by itself has no scale of jobs to keep: there the later fit is taken as
    it is.
    """
    if parent.jobs is None:
        told = [(_held(one.later[0], ALONE[0]), _held(one.later[1], ALONE[1])) for one in fits]
        if not told:
            return parent
        slope, offset = (float(middle) for middle in np.median(told, axis=0))
        return replace(parent, slope=slope, offset=offset)
    moved = [_moved(one) for one in fits if one.earlier[0] >= TELLS]
    if not moved:
        return parent
    stretch, shift = (float(middle) for middle in np.median(moved, axis=0))
    return replace(parent, slope=parent.slope * stretch, offset=parent.offset + parent.slope * shift)


def _moved(fits: Fits) -> tuple[float, float]:
    """The earlier model's logit that a later one stands for is `stretch * later + shift`."""
    (slope, offset), (later, its_offset) = fits.earlier, fits.later
    return _held(later / slope, STRETCH), _held((its_offset - offset) / slope, SHIFT)


def _held(value: float, limits: tuple[float, float]) -> float:
    return min(max(value, limits[0]), limits[1])
