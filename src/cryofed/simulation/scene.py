"""What a painter of class averages needs to know: the job's molecules, sizes in pixels, brightness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.simulation.imaging.projection import Image, cone, project
from cryofed.simulation.molecules.molecule import Molecule, random_turn
from cryofed.simulation.spec import Spec

RANDOM = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A job's canvas. Brightness 1 is about that of the first molecule's projection."""

    spec: Spec
    unit: float  # weight per pixel that counts as brightness 1

    @property
    def box(self) -> int:
        """Side in pixels."""
        return self.spec.box

    @property
    def radius(self) -> float:
        """Radius in pixels of what is shown: the mask, or the box where there is none."""
        return min(self.spec.mask_radius_px, self.box / 2)

    @property
    def first_size(self) -> float:
        """Diameter of the first molecule in pixels."""
        return self.size(self.spec.molecules[0])

    def size(self, molecule: Molecule) -> float:
        """Diameter of the molecule in pixels."""
        return molecule.diameter_angstrom / self.spec.pixel_size_angstrom

    def blurred_view(
        self,
        molecule: Molecule,
        view: NDArray[np.float64],
        rng: RANDOM,
        *,
        spread_degree: float,
        in_plane_degree: float,
        shift_px: float,
        offset_px: tuple[float, float] = (0.0, 0.0),
        n: int = 5,
    ) -> Image:
        """The mean of n projections near `view`, with errors of angle and shift, as alignment leaves them."""
        turns = cone(rng, view, spread_degree, in_plane_degree, n)
        shifts = rng.normal(0, shift_px, (n, 2)) + np.asarray(offset_px)
        image = project(
            molecule, turns, shifts, box=self.box, pixel_size_angstrom=self.spec.pixel_size_angstrom, rng=rng
        )
        return image / np.float32(self.unit)

    def still(self, molecule: Molecule, view: NDArray[np.float64]) -> Image:
        """The one projection along `view`, at rest and centred: the truth."""
        none = np.zeros((1, 2))
        image = project(
            molecule, view[None], none, box=self.box, pixel_size_angstrom=self.spec.pixel_size_angstrom
        )
        return image / np.float32(self.unit)

    def any_molecule(self, rng: RANDOM) -> Molecule:
        """One of the job's molecules."""
        return self.spec.molecules[int(rng.integers(len(self.spec.molecules)))]


def scene(spec: Spec, rng: RANDOM) -> Scene:
    """Measure how bright the first molecule's projections are."""
    molecule = spec.molecules[0]
    bright = []
    for _ in range(3):
        turn = view_of(molecule, rng)[None]
        image = project(
            molecule, turn, np.zeros((1, 2)), box=spec.box, pixel_size_angstrom=spec.pixel_size_angstrom
        )
        bright.append(float(np.square(image, dtype=np.float64).sum() / image.sum(dtype=np.float64)))
    return Scene(spec=spec, unit=float(np.mean(bright)))


def view_of(molecule: Molecule, rng: RANDOM, tilts: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """A random view, `(3, 3)`; of a filament from the side. `tilts` `(k, 3, 3)`: near one of these."""
    if tilts is not None:
        near = tilts[int(rng.integers(len(tilts)))]
        tilted: NDArray[np.float64] = in_plane(rng) @ cone(rng, near, 5, 0, 1)[0]
        return tilted
    if molecule.views == "side":
        about, lean = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.08)
        c, s = np.cos(about), np.sin(about)
        spin = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
        cl, sl = np.cos(np.pi / 2 + lean), np.sin(np.pi / 2 + lean)
        lie = np.array([[1, 0, 0], [0, cl, -sl], [0, sl, cl]])
        side: NDArray[np.float64] = in_plane(rng) @ lie @ spin
        return side
    return random_turn(rng)


def in_plane(rng: RANDOM) -> NDArray[np.float64]:
    """A random turn of the picture."""
    angle = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
