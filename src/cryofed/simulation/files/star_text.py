"""STAR files as RELION formats them: blocks of pairs and loops, ten and twelve characters wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

VERSION = "# version 30001"  # RELION 3.1 and 4

Column = NDArray[np.generic] | Sequence[str]


def pairs(block: str, values: Mapping[str, str | int | float]) -> str:
    """A block of `_rlnName value` lines."""
    lines = [f"_rln{name:<48} {_one(value)}" for name, value in values.items()]
    return f"\n{VERSION}\n\ndata_{block}\n\n" + "\n".join(lines) + "\n \n"


def loop(block: str, columns: Mapping[str, Column]) -> str:
    """A block with one loop; every column has a value for each row."""
    head = "".join(f"_rln{name} #{i} \n" for i, name in enumerate(columns, start=1))
    rows = "".join(" ".join(row) + " \n" for row in zip(*(_texts(c) for c in columns.values()), strict=True))
    return f"\n{VERSION}\n\ndata_{block}\n\nloop_ \n{head}{rows} \n"


def _texts(column: Column) -> list[str]:
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        return [_float(v) for v in column.tolist()]
    if isinstance(column, np.ndarray) and column.dtype.kind in "iu":
        return [f"{v:12d}" for v in column.tolist()]
    return [str(v) or '""' for v in column]


def _float(value: float) -> str:
    """Twelve characters, as RELION: six decimals, an exponent for the small; inf and nan as they are."""
    if value != 0 and abs(value) < 1e-3:
        return f"{value:12.6e}"
    return f"{value:12.6f}"


def _one(value: str | int | float) -> str:
    if isinstance(value, float):
        return _float(value)
    return str(value) or '""'
