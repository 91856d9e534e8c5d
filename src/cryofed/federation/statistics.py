"""Federated statistics: why sites differ, seen without their data."""

from __future__ import annotations

from collections.abc import Mapping

from cryofed.library.labelled import Labelled


def local_statistics(labelled: Labelled, min_cell: int) -> Mapping[str, float]:
    """Counts of one site's averages; a cell below `min_cell` is not told."""
    cells = {"examples": float(len(labelled)), "good": float(labelled.good.sum())}
    return {name: value for name, value in cells.items() if value >= min_cell}
