"""A model, to the federation, is one flat float32 vector; the layout says what its numbers are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import TrainingError

Vector = NDArray[np.float32]  # (n_parameters,)


@dataclass(frozen=True)
class Layout:
    """Names and shapes of a model's arrays, in their order in the vector."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Numbers in each array."""
        return tuple(prod(shape) for shape in self.shapes)

    @property
    def size(self) -> int:
        """Numbers in the vector."""
        return sum(self.sizes)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over names and shapes; a site refuses a vector of any other layout."""
        text = json.dumps([self.names, self.shapes], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def join(self, arrays: Mapping[str, NDArray[np.float32]]) -> Vector:
        """The arrays as one vector."""
        if set(arrays) != set(self.names):
            raise TrainingError(f"arrays do not fit the layout: {sorted(set(arrays) ^ set(self.names))}")
        parts = []
        for name, shape in zip(self.names, self.shapes, strict=True):
            if arrays[name].shape != shape:
                raise TrainingError(f"{name}: shape {arrays[name].shape}, the layout has {shape}")
            parts.append(np.asarray(arrays[name], np.float32).ravel())
        return np.concatenate(parts)

    def split(self, vector: Vector) -> dict[str, NDArray[np.float32]]:
        """The vector's arrays by name, as views."""
        if vector.shape != (self.size,):
            raise TrainingError(f"vector of shape {vector.shape}, the layout has ({self.size},)")
        ends = np.cumsum(self.sizes)
        return {
            name: vector[end - size : end].reshape(shape)
            for name, shape, size, end in zip(self.names, self.shapes, self.sizes, ends, strict=True)
        }

    def span(self, prefix: str) -> NDArray[np.bool_]:
        """Which numbers belong to arrays whose name starts with `prefix` (personal parts of a model)."""
        return np.repeat([name.startswith(prefix) for name in self.names], self.sizes)


def vector_hash(vector: Vector) -> str:
    """SHA-256 over the vector's bytes, little-endian."""
    return hashlib.sha256(np.ascontiguousarray(vector, "<f4").data).hexdigest()
