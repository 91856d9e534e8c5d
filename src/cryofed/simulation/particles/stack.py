"""A stack of single particle images, noisy and with junk among them, of which everything is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.job import Images
from cryofed.simulation.imaging.projection import circular_mask, project, stack
from cryofed.simulation.imaging.spectrum import back, contrast, shells, transform
from cryofed.simulation.junk.painters import PAINTERS
from cryofed.simulation.scene import RANDOM, Scene, scene, view_of
from cryofed.simulation.spec import Spec

# Kinds that single particles can be (over-fitted noise arises in the classification).
JUNK = ("noise", "disc", "ice", "carbon", "corner", "off centre", "aggregate", "broken", "denatured")
UNSEEN = 16  # particles that tell the strength where all that are seen are junk


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """n particles. `kind` is "" for true ones; `turns` `(n, 3, 3)` and `shifts_px` `(n, 2)` are their poses.

    `images` are scaled as extraction does: background of mean 0 and deviation 1, protein bright.
    """

    images: Images
    kind: tuple[str, ...]
    molecule: NDArray[np.int64]  # index into the spec's molecules, -1 for junk
    turns: NDArray[np.float64]
    shifts_px: NDArray[np.float64]
    defocus_angstrom: NDArray[np.float64]


def particle_stack(spec: Spec, n: int, snr: float, rng: RANDOM) -> Stack:
    """n particles of the spec's molecules and junk; `snr` is power of particle over noise in its circle.

    Where all are junk, it is that of particles which are not there.
    """
    canvas = scene(spec, rng)
    junk = [str(rng.choice(JUNK)) if rng.random() < spec.junk_share else "" for _ in range(n)]
    which = np.where([k == "" for k in junk], rng.integers(0, len(spec.molecules), n), -1)
    views = [view_of(spec.molecules[max(m, 0)], rng) for m in which]
    shifts = rng.normal(0, 0.02 * canvas.first_size, (n, 2))
    rows = zip(junk, which, views, shifts, strict=True)
    clean = stack([_one(canvas, kind, molecule=int(m), view=v, shift=s, rng=rng) for kind, m, v, s in rows])
    low, high = (d * 1e4 for d in spec.microscope.defocus_um)
    defocus = rng.uniform(low, high, n)
    seen = _imaged(spec, clean, defocus)
    inside = circular_mask(spec.box, 0.5 * canvas.first_size, 1) > 0.5
    true = which >= 0
    of_particles = (
        seen[true] if true.any() else _imaged(spec, _unseen(canvas, rng), np.resize(defocus, UNSEEN))
    )
    strength = float(of_particles[:, inside].std())
    noise = rng.standard_normal(seen.shape).astype(np.float32)
    return Stack(
        images=seen / np.float32(strength) * np.float32(np.sqrt(snr)) + noise,
        kind=tuple(junk),
        molecule=which,
        turns=np.stack(views),
        shifts_px=shifts,
        defocus_angstrom=defocus,
    )


def _unseen(canvas: Scene, rng: RANDOM) -> Images:
    """A few particles of the first molecule, for their strength alone."""
    views = [view_of(canvas.spec.molecules[0], rng) for _ in range(UNSEEN)]
    return stack([_one(canvas, "", molecule=0, view=v, shift=np.zeros(2), rng=rng) for v in views])


def _one(
    canvas: Scene,
    kind: str,
    *,
    molecule: int,
    view: NDArray[np.float64],
    shift: NDArray[np.float64],
    rng: RANDOM,
) -> NDArray[np.float32]:
    if kind:
        return PAINTERS[kind][0](canvas, rng)
    spec = canvas.spec
    image = project(
        spec.molecules[molecule], view[None], shift[None],
        box=spec.box, pixel_size_angstrom=spec.pixel_size_angstrom, rng=rng,
    )  # fmt: skip
    return image / np.float32(canvas.unit)


def _imaged(spec: Spec, clean: Images, defocus: NDArray[np.float64]) -> Images:
    """Through the microscope: envelope and contrast transfer at each particle's defocus."""
    frequency = shells(spec.box) / (spec.box * spec.pixel_size_angstrom)
    envelope = np.exp(-spec.b_factor * frequency**2 / 4)
    spectra = transform(clean)
    for i, d in enumerate(defocus):
        spectra[i] *= (contrast(spec.microscope, frequency, d / 1e4) * envelope).astype(np.float32)
    return back(spectra, spec.box)
