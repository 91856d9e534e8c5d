"""What a finished 2D classification is, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError

if TYPE_CHECKING:
    from cryofed.jobs.rows import ParticleRows

Images = NDArray[np.float32]  # (n, y, x)
Program = str  # a name of `programs.TABLE`


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTable:
    """One row per class average, in stack order. What the program did not record is NaN.

    `number` counts from 1, as in RELION. `particles` counts hard assignments, -1 where there is no
    particle table. Resolution in Å, accuracies in degrees and Å, distribution as a share of 1.
    """

    number: NDArray[np.int64]
    particles: NDArray[np.int64]
    resolution_angstrom: NDArray[np.float64]
    distribution: NDArray[np.float64]
    accuracy_rotation_degree: NDArray[np.float64]
    accuracy_translation_angstrom: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.number)

    @staticmethod
    def unknown(n: int) -> ClassTable:
        """A table of n classes numbered from 1 about which nothing else is known."""
        nothing = np.full(n, np.nan)
        return ClassTable(
            number=np.arange(1, n + 1),
            particles=np.full(n, -1),
            resolution_angstrom=nothing,
            distribution=nothing,
            accuracy_rotation_degree=nothing,
            accuracy_translation_angstrom=nothing,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassJob:
    """One finished 2D classification.

    `averages` is `(n, box, box)`, often a read-only memory map, in the program's own grey scale, protein
    bright. `particle_classes` is the class number of every particle, `(m,)` in the order of the file; None
    where there is no particle table; `particle_rows` says where they stand in a STAR file. `class_ess` `(n,)`
    is CryoSPARC's effective sample size: over how many classes its particles are spread. `files` names what
    the job was read from, by role: RELION `optimiser`, `model`, `data`, `averages`; CryoSPARC `templates`,
    `particles`, `passthrough`, `averages`; the others `averages`. `read` is the iteration or file that was
    read, in one word, and `notes` are what a person must know of it.
    """

    program: Program
    path: Path
    name: str
    averages: Images
    classes: ClassTable
    pixel_size_angstrom: float | None = None
    mask_diameter_angstrom: float | None = None
    particle_classes: NDArray[np.int32] | None = None
    particle_rows: ParticleRows | None = None
    class_ess: NDArray[np.float64] | None = None
    read: str = ""
    notes: tuple[str, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.classes) != len(self.averages):
            raise InputError(
                self.path,
                "classes",
                f"{len(self.classes)} rows for {len(self.averages)} averages",
                "give files of one and the same classification",
            )

    @property
    def box(self) -> int:
        """Side of the averages in pixels."""
        return int(self.averages.shape[-1])

    @property
    def total_particles(self) -> int | None:
        """Particles of all classes; None where there is no particle table."""
        particles = self.classes.particles
        return int(particles.sum()) if len(particles) and particles.min() >= 0 else None

    @property
    def mask_radius_px(self) -> float | None:
        """Radius of the circular mask that the user typed, in pixels, never more than half the box."""
        if self.mask_diameter_angstrom is None or self.pixel_size_angstrom is None:
            return None
        return min(self.mask_diameter_angstrom / self.pixel_size_angstrom / 2, self.box / 2)
