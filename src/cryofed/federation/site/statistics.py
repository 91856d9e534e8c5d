"""Federated statistics: why sites differ, seen without their data. Small cells stay at home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.federation.wire.bounds import BOX_EDGES, PIXEL_EDGES
from cryofed.library.labelled import Labelled
from cryofed.scoring.features import FEATURES
from cryofed.scoring.reasons import REASONS

MOST_DIGITS = 4  # of a mean or metric: enough to compare sites and models, too few to undo a sum


@dataclass(frozen=True, slots=True)
class Grid:
    """How one job was sampled."""

    pixel_size_angstrom: float | None
    box: int
    averages: int


def local_statistics(labelled: Labelled, grids: Sequence[Grid], min_cell: int) -> Mapping[str, float]:
    """Counts and means of one site; a cell of fewer than `min_cell` averages is not told.

    Names: `examples`, `good`, `bad`, `jobs`, `projects`, `reason:<index>`, `pixel:<bin>`, `box:<bin>`,
    `feature:<name>.mean` and `.deviation`. A missing name means too few, which may be none.
    """
    counts = {
        "examples": len(labelled),
        "good": int(labelled.good.sum()),
        "bad": int((~labelled.good).sum()),
        **{f"reason:{index}": int((labelled.reason == index).sum()) for index in range(len(REASONS))},
        **_binned("pixel", [(grid.pixel_size_angstrom, grid.averages) for grid in grids], PIXEL_EDGES),
        **_binned("box", [(float(grid.box), grid.averages) for grid in grids], BOX_EDGES),
    }
    values = {name: float(count) for name, count in counts.items() if count >= min_cell}
    if len(labelled) >= min_cell:
        values["jobs"] = float(len(np.unique(labelled.job)))
        values["projects"] = float(len(np.unique(labelled.project)))
    for name, column in zip(FEATURES, labelled.features.T, strict=True):
        known: NDArray[np.float64] = column[np.isfinite(column)].astype(np.float64)
        if len(known) >= min_cell:
            values[f"feature:{name}.mean"] = round(float(known.mean()), MOST_DIGITS)
            values[f"feature:{name}.deviation"] = round(float(known.std()), MOST_DIGITS)
    return values


def good_share(values: Mapping[str, float]) -> float | None:
    """Share of good averages, None where a site told too little."""
    return values["good"] / values["examples"] if {"good", "bad", "examples"} <= set(values) else None


def _binned(
    name: str, values: Sequence[tuple[float | None, int]], edges: tuple[float, ...]
) -> Mapping[str, int]:
    counts = dict.fromkeys(range(len(edges) - 1), 0)
    for value, averages in values:
        if value is not None:
            counts[int(np.searchsorted(edges, value, "right")) - 1] += averages
    return {f"{name}:{index}": count for index, count in counts.items()}
