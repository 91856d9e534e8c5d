"""Robust rules read all updates together, but only a block of coordinates at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cryofed.federation.strategies.means import add_scaled
from cryofed.federation.strategies.strategy import in_order
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Vector

BLOCK = 65_536  # float32 numbers: 256 KiB, which stay in the cache
_NETWORK_MAX = 64  # above it a sort per coordinate is faster than a sorting network over rows


def gather(updates: Iterable[Update]) -> list[Update]:
    """The updates of the round, sorted; their vectors may be memory-mapped and are only read in blocks."""
    return list(in_order(updates))


def by_blocks(updates: Sequence[Update], rule: Callable[[list[Vector]], Vector]) -> Vector:
    """`rule` on `n` rows of a block of coordinates at a time; the rows are copies that it may overwrite."""
    size = len(updates[0].vector)
    result = np.empty(size, np.float32)
    width = max(1024, 4 * BLOCK // len(updates))  # all rows of a block together: 1 MiB
    rows = np.empty((len(updates), min(width, size)), np.float32)
    for first in range(0, size, width):
        last = min(first + width, size)
        for row, update in zip(rows, updates, strict=True):
            row[: last - first] = update.vector[first:last]
        result[first:last] = rule([row[: last - first] for row in rows])
    return result


def sort_rows(rows: list[Vector]) -> list[Vector]:
    """The rows sorted coordinate by coordinate, smallest first.

    Batcher's odd-even merge network (1968): every comparison is one minimum and one maximum over whole
    rows, so a few rows sort at memory speed.
    """
    if len(rows) > _NETWORK_MAX:
        return list(np.ascontiguousarray(np.sort(np.stack(rows, axis=1), axis=1).T))
    rows = list(rows)
    spare = np.empty_like(rows[0])
    for low, high in network(len(rows)):
        np.minimum(rows[low], rows[high], out=spare)
        np.maximum(rows[low], rows[high], out=rows[high])
        rows[low], spare = spare, rows[low]
    return rows


def network(n: int) -> list[tuple[int, int]]:
    """Comparisons of Batcher's odd-even merge sort for any `n` (Knuth, vol. 3, 5.2.2, algorithm M)."""
    pairs = []
    p = 1
    while p < n:
        k = p
        while k >= 1:
            for j in range(k % p, n - k, 2 * k):
                for i in range(min(k, n - j - k)):
                    if (i + j) // (2 * p) == (i + j + k) // (2 * p):
                        pairs.append((i + j, i + j + k))
            k //= 2
        p *= 2
    return pairs


class Sliceable(Protocol):
    """A vector of which a part can be read: an array, a memory map, or something that makes the part."""

    def __len__(self) -> int:
        """Its numbers."""
        ...

    def __getitem__(self, part: slice, /) -> Vector:
        """Some of them."""
        ...


def gram(vectors: Sequence[Sliceable]) -> NDArray[np.float64]:
    """`(n, n)` inner products of vectors of one length, block by block, the blocks summed in float64."""
    size = len(vectors[0])
    width = max(1024, 4 * BLOCK // len(vectors))
    rows = np.empty((len(vectors), min(width, size)), np.float32)
    total = np.zeros((len(vectors), len(vectors)))
    for first in range(0, size, width):
        last = min(first + width, size)
        for row, vector in zip(rows, vectors, strict=True):
            row[: last - first] = vector[first:last]
        part = rows[:, : last - first]
        total += part @ part.T
    return total


def squared_distances(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(n, n)` squared distances between updates, from their inner products."""
    squares = np.diag(products)
    distances: NDArray[np.float64] = np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0)
    return distances


def norms(updates: Sequence[Update]) -> NDArray[np.float64]:
    """`(n,)` Euclidean norms."""
    return np.sqrt([square_norm(update.vector) for update in updates])


def square_norm(vector: Vector) -> float:
    """Squared Euclidean norm, block by block in float64: 1e30 does not overflow, small terms stay."""
    total = 0.0
    for first in range(0, len(vector), BLOCK):
        part = np.asarray(vector[first : first + BLOCK], np.float64)
        total += float(np.dot(part, part))
    return total


def weighted_sum(updates: Sequence[Update], weights: Sequence[float] | NDArray[np.float64]) -> Vector:
    """`Σ w_i Δ_i`, one update after the other."""
    total = np.zeros(len(updates[0].vector), np.float32)
    for update, weight in zip(updates, weights, strict=True):
        add_scaled(total, update.vector, float(weight))
    return total
