"""A site's library for tests: pictures of blobs, which are good, and of noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.library.labels import Labelling
from cryofed.library.store import Library


def library(path: Path, seed: int) -> None:
    """Three projects of one job each: 24 blobs and 24 pictures of noise."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((64, 64)) - 32
    good = np.arange(48) % 2 == 0
    blob = np.exp(-(x**2 + y**2) / 128)
    with Library(path, create=True) as made:
        for project in range(3):
            noise = rng.normal(size=(48, 64, 64))
            averages = (noise + 2 * good[:, None, None] * blob).astype(np.float32)
            job = ClassJob(
                program="images", path=path, name=f"job{project}", averages=averages,
                classes=ClassTable.unknown(48),
            )  # fmt: skip
            made.add(job, f"project-{project}", [labelling(good)])


def labelling(good: np.ndarray) -> Labelling:
    return Labelling(
        habit="binary", source="test", made_at="2026-01-01T00:00:00+00:00", values=good.astype(np.float32)
    )
