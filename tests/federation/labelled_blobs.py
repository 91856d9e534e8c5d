"""Cheap labelled averages for tests of federations: a blob, or noise; two sites differ in their blobs."""

from __future__ import annotations

import numpy as np

from cryofed.federation.site.answering import InMemory
from cryofed.library.labelled import Labelled
from cryofed.scoring.features import FEATURES
from cryofed.scoring.prepare import normalize


def labelled(n: int, seed: int, width: float = 8.0) -> Labelled:
    """n averages in jobs of 20, half of them good: a blob of this width (pixels) under noise."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((64, 64)) - 32
    good = np.arange(n) % 2 == 0
    noise = rng.normal(size=(n, 64, 64))
    blob = np.exp(-(x**2 + y**2) / (2 * width**2))
    images = normalize((noise + 1.5 * good[:, None, None] * blob).astype(np.float32))
    return Labelled(
        images=images.astype(np.float16),
        features=np.full((n, len(FEATURES)), np.nan, np.float32),
        target=good.astype(np.float32),
        good=good,
        reason=np.where(good, -1, 0).astype(np.int8),
        job=np.arange(n) // 20,
        project=np.arange(n) // 20,
    )


def source(seed: int, n: int = 60, width: float = 8.0) -> InMemory:
    """Averages to train on and others to measure on."""
    return InMemory(labelled(n, seed, width), labelled(40, seed + 1000, width))
