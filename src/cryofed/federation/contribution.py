"""What each site brought, estimated from inner products of the updates that the round reports keep."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cryofed.federation.updates import Update
from cryofed.learning.vector import Vector

BLOCK = 65536  # numbers of each update in memory at a time


def gram(updates: Iterable[Update], step: Vector, size: int) -> list[list[float]]:
    """Inner products of all updates' changes, in the order given, and of the step that was made of them.

    `(n + 1, n + 1)`, the step last. Updates may be memory maps: only a block of each is in memory.
    """
    rows = [update.vector[:size] for update in updates] + [step]
    result = np.zeros((len(rows), len(rows)))
    for first in range(0, size, BLOCK):
        block = np.stack([row[first : first + BLOCK] for row in rows]).astype(np.float64)
        result += block @ block.T
    return [[float(f"{value:.6g}") for value in row] for row in result]
