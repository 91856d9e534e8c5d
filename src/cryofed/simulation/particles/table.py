"""The particle table of a simulated job: where each particle was picked, its defocus, pose and class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.simulation.spec import Spec

MICROGRAPH_PX = 4096
PER_MICROGRAPH = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Particles:
    """One row per particle, in the order of the micrographs; `class_number` counts from 1."""

    class_number: NDArray[np.int64]
    micrograph: NDArray[np.int64]  # from 0
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    defocus_angstrom: NDArray[np.float64]  # (n, 2) U and V
    astigmatism_degree: NDArray[np.float64]
    psi_degree: NDArray[np.float64]
    origin_angstrom: NDArray[np.float64]  # (n, 2)
    probability: NDArray[np.float64]  # of the most likely pose
    log_likelihood: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.class_number)

    @property
    def micrographs(self) -> int:
        """Number of micrographs."""
        return int(self.micrograph.max(initial=-1)) + 1


def particles(spec: Spec, counts: NDArray[np.int64], rng: np.random.Generator) -> Particles:
    """Particles for `counts` (n,) per class, mixed over the micrographs."""
    numbers = rng.permutation(np.repeat(np.arange(1, len(counts) + 1), counts))
    n = len(numbers)
    micrograph = np.sort(rng.integers(0, max(1, n // PER_MICROGRAPH), n))
    used = np.unique(micrograph, return_inverse=True)[1]
    low, high = (d * 1e4 for d in spec.microscope.defocus_um)
    of_micrograph = rng.uniform(low, high, int(used.max(initial=-1)) + 1)
    mean = of_micrograph[used] + rng.normal(0, 120, n)
    astigmatism = np.abs(rng.normal(0, 150, len(of_micrograph)))[used]
    return Particles(
        class_number=numbers,
        micrograph=used,
        x_px=rng.uniform(0, MICROGRAPH_PX, n),
        y_px=rng.uniform(0, MICROGRAPH_PX, n),
        defocus_angstrom=np.stack([mean + astigmatism, mean - astigmatism], axis=1),
        astigmatism_degree=rng.uniform(0, 180, len(of_micrograph))[used],
        psi_degree=rng.uniform(-180, 180, n),
        origin_angstrom=rng.normal(0, 2 * spec.pixel_size_angstrom, (n, 2)),
        probability=np.clip(rng.beta(2.5, 1.2, n), 0.02, 1),
        log_likelihood=rng.normal(0.75 * spec.box**2, 0.008 * spec.box**2, n),
    )
