"""One simulated 2D classification, in memory: averages, table and truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.simulation.classes.average import Averaged, average_classes, present
from cryofed.simulation.classes.draw import Drawn, draw_classes
from cryofed.simulation.classes.truth import BORDERLINE, GOOD, SimulatedJob, Truth, compare, quality
from cryofed.simulation.imaging.projection import stack
from cryofed.simulation.junk.painters import BLUR, CENTRE, FEW, PAINTERS
from cryofed.simulation.scene import RANDOM, scene
from cryofed.simulation.spec import Spec


def simulate_job(spec: Spec, seed: int | np.random.SeedSequence) -> SimulatedJob:
    """A 2D classification with known truth; the same spec and seed give the same bits."""
    rng = np.random.default_rng(seed)
    drawn = draw_classes(scene(spec, rng), rng)
    contents = stack([d.content for d in drawn])
    references = stack([np.zeros_like(d.content) if d.reference is None else d.reference for d in drawn])
    particles = np.array([d.particles for d in drawn])
    true = np.array([d.reference is not None for d in drawn])
    averaged = average_classes(
        spec, contents, references, particles,
        gain=np.array([d.gain for d in drawn]), cut=np.array([d.cut for d in drawn]), typical=true, rng=rng,
    )  # fmt: skip
    job = ClassJob(
        program=spec.program,
        path=Path(spec.name),
        name=spec.name,
        averages=present(spec, averaged.averages, rng),
        classes=_table(spec, drawn, averaged, contents, rng),
        pixel_size_angstrom=None if spec.program == "images" else spec.pixel_size_angstrom,
        mask_diameter_angstrom=None if spec.program == "images" else spec.mask_diameter_angstrom,
    )
    return SimulatedJob(
        job=job, truth=_truth(spec, drawn, averaged), ssnr=averaged.believed.astype(np.float32)
    )


def _truth(spec: Spec, drawn: list[Drawn], averaged: Averaged) -> Truth:
    pixel = spec.pixel_size_angstrom
    n = len(drawn)
    which = np.array([d.molecule for d in drawn])
    diameters = np.array([m.diameter_angstrom for m in spec.molecules])
    diameter = diameters[np.maximum(which, 0)]
    frame = min(spec.mask_radius_px, spec.box / 2)
    radius = np.minimum(0.55 * diameter / pixel, 0.95 * frame)
    likeness, cut = np.zeros(n), np.full(n, 1.0)
    true = which >= 0
    if true.any():
        likeness[true], cut[true] = compare(
            averaged.averages[true], averaged.references[true], averaged.weights[true], radius[true]
        )
    resolution = spec.box * pixel / cut
    purity = np.array([d.purity for d in drawn])
    offset = np.array([d.offset_px for d in drawn]) * pixel
    graded = np.where(
        true,
        quality(purity, likeness, resolution / diameter, offset / diameter, averaged.possible_shell / cut),
        0.0,
    )
    return Truth(
        purity=purity,
        view_spread_degree=np.array([d.view_spread_degree for d in drawn]),
        correlation=likeness,
        frc_resolution_angstrom=resolution,
        resolution_ratio=resolution / diameter,
        offset_angstrom=offset,
        quality=graded,
        good=graded >= GOOD,
        borderline=(graded >= BORDERLINE[0]) & (graded < BORDERLINE[1]),
        junk=tuple(
            "" if d.kind == "particle" or q >= GOOD else d.kind for d, q in zip(drawn, graded, strict=True)
        ),
        junk_share=1 - purity,
        reason=_reasons(drawn, graded, offset / diameter),
        molecule=which,
        molecules=tuple(m.name for m in spec.molecules),
        view=np.stack([d.view for d in drawn]),
    )


def _reasons(drawn: list[Drawn], graded: NDArray[np.float64], off: NDArray[np.float64]) -> NDArray[np.int8]:
    reasons = np.full(len(drawn), -1, np.int8)
    for i, d in enumerate(drawn):
        if d.kind in PAINTERS:
            reasons[i] = PAINTERS[d.kind][1]
        elif graded[i] < GOOD:
            if off[i] > 0.15:
                reasons[i] = CENTRE
            else:
                reasons[i] = FEW if d.particles < 25 or d.kind == "few particles" else BLUR
    return reasons


def _table(
    spec: Spec, drawn: list[Drawn], averaged: Averaged, contents: NDArray[np.float32], rng: RANDOM
) -> ClassTable:
    n = len(drawn)
    particles = np.array([d.particles for d in drawn])
    nothing = np.full(n, np.nan)
    if spec.program == "images":
        return ClassTable.unknown(n)
    soft = particles * np.exp(rng.normal(0, 0.06, n))
    rotation, shift = _accuracies(spec, averaged, contents, rng)
    # RELION writes 999 where it had no particle to estimate from.
    rare = particles <= 3 + rng.integers(0, 8, n)
    relion = spec.program == "relion"
    return ClassTable(
        number=np.arange(1, n + 1),
        particles=particles,
        resolution_angstrom=averaged.resolution_angstrom,
        distribution=soft / soft.sum() if relion else nothing,
        accuracy_rotation_degree=np.where(rare, 999.0, rotation) if relion else nothing,
        accuracy_translation_angstrom=np.where(rare, 999.0, shift) if relion else nothing,
    )


def _accuracies(
    spec: Spec, averaged: Averaged, contents: NDArray[np.float32], rng: RANDOM
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Degrees and Å by which a particle must be moved until the noise can tell.

    RELION moves the reference until the squared difference over the noise is about 4.6; here the slope of
    the average with the angle, and with the shift, gives that distance at once.
    """
    box = spec.box
    axis = np.arange(box, dtype=np.float32) - box // 2
    images = averaged.averages.astype(np.float64)
    down, right = np.gradient(images, axis=1), np.gradient(images, axis=2)
    turn = right * -axis[None, :, None] + down * axis[None, None, :]
    radius = 0.5 * min(spec.mask_diameter_angstrom / spec.pixel_size_angstrom, box)
    inside = np.hypot(axis[:, None], axis[None, :]) < radius
    content = np.square(images[:, inside]).sum(axis=1)
    # Noise energy of one particle in the units of these images: from the mean single-particle SNR.
    snr = np.clip(averaged.snr[:, 1 : box // 4].mean(axis=1), 1e-7, 10)
    noise = content / np.maximum(snr * inside.sum(), 1e-9)
    rotation = np.degrees(np.sqrt(9.2 * noise / np.maximum(np.square(turn[:, inside]).sum(axis=1), 1e-12)))
    slope = np.maximum(np.square(down[:, inside] + right[:, inside]).sum(axis=1), 1e-12)
    shift = np.sqrt(9.2 * noise / slope) * spec.pixel_size_angstrom
    jitter = np.exp(rng.normal(0, 0.12, (2, len(images))))
    return np.clip(rotation * jitter[0], 0.2, 60), np.clip(
        shift * jitter[1], 0.3, 0.3 * spec.mask_diameter_angstrom
    )
