"""Second guard: no update moves the model farther than the policy allows."""

from __future__ import annotations

import numpy as np

from cryofed.learning.vector import Vector


def clip(vector: Vector, max_norm: float, channels: int = 1) -> Vector:
    """Each channel shortened to Euclidean norm `max_norm`, its direction kept; 0 leaves all as it is."""
    if not max_norm:
        return vector
    rows = vector.reshape(channels, -1)
    lengths = np.sqrt([float(np.dot(row.astype(np.float64), row)) for row in rows])
    factors = np.minimum(1, max_norm / np.maximum(lengths, 1e-30)).astype(np.float32)
    clipped: Vector = (rows * factors[:, None]).ravel()
    return clipped
