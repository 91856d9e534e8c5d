"""What is true of RELION's classes, from the known particles that it put into each."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.job import Images
from cryofed.simulation.classes.truth import BORDERLINE, GOOD, Truth, compare, quality
from cryofed.simulation.imaging.projection import project
from cryofed.simulation.imaging.spectrum import spread
from cryofed.simulation.junk.painters import BLUR, CENTRE, FEW, PAINTERS
from cryofed.simulation.particles.stack import Stack
from cryofed.simulation.spec import Spec


def class_truth(
    spec: Spec,
    particles: Stack,
    averages: Images,
    *,
    ssnr: NDArray[np.float64],
    order: NDArray[np.int64],
    class_index: NDArray[np.int64],
    psi_degree: NDArray[np.float64],
    origin_px: NDArray[np.float64],
) -> Truth:
    """Truth of each of the n classes.

    `order` `(m,)` says which particle of the stack each row of RELION's table is; the other columns are of
    those rows. The view of a class is that of its medoid: the true particle whose direction is nearest to
    those of the others. The reference is its noise-free projection, in RELION's alignment.
    """
    n, pixel = len(averages), spec.pixel_size_angstrom
    true = particles.molecule[order] >= 0
    facts = [_facts(particles, order, np.flatnonzero(class_index == k), true) for k in range(n)]
    with_view = np.array([f[4] >= 0 for f in facts])
    references, offsets = np.zeros_like(averages), np.zeros(n)
    for k in np.flatnonzero(with_view):
        row = facts[k][4]
        turn, shift = aligned(particles, int(order[row]), float(psi_degree[row]), origin_px[row])
        molecule = spec.molecules[int(particles.molecule[order[row]])]
        offsets[k] = float(np.hypot(*shift)) * pixel
        references[k] = project(molecule, turn[None], shift[None], box=spec.box, pixel_size_angstrom=pixel)
    diameter = spec.molecules[0].diameter_angstrom
    radius = np.full(n, min(0.55 * diameter / pixel, 0.95 * spec.mask_radius_px, 0.48 * spec.box))
    likeness, cut = np.zeros(n), np.ones(n)
    if with_view.any():
        weights = spread(ssnr / (1 + ssnr), spec.box)
        likeness[with_view], cut[with_view] = compare(
            averages[with_view], references[with_view], weights[with_view], radius[with_view]
        )
    resolution = spec.box * pixel / cut
    purity = np.array([f[0] for f in facts])
    graded = np.where(with_view, quality(purity, likeness, resolution / diameter, offsets / diameter), 0)
    junk = tuple(f[1] for f in facts)
    return Truth(
        purity=purity,
        view_spread_degree=np.array([f[3] for f in facts]),
        correlation=likeness,
        frc_resolution_angstrom=resolution,
        resolution_ratio=resolution / diameter,
        offset_angstrom=offsets,
        quality=graded,
        good=graded >= GOOD,
        borderline=(graded >= BORDERLINE[0]) & (graded < BORDERLINE[1]),
        junk=junk,
        junk_share=np.array([f[2] for f in facts]),
        reason=np.array(
            [_reason(q, f, o / diameter) for q, f, o in zip(graded, facts, offsets, strict=True)], np.int8
        ),
        molecule=np.array([particles.molecule[order[f[4]]] if f[4] >= 0 else -1 for f in facts]),
        molecules=tuple(m.name for m in spec.molecules),
        view=np.stack([particles.turns[order[f[4]], 2] if f[4] >= 0 else np.full(3, np.nan) for f in facts]),
    )


Facts = tuple[float, str, float, float, int, int]
# purity, most common junk, its share, spread of views in degrees, row of the medoid or -1, particles


def _facts(
    particles: Stack, order: NDArray[np.int64], rows: NDArray[np.int64], true: NDArray[np.bool_]
) -> Facts:
    if not len(rows):
        return 0.0, "", 0.0, float("nan"), -1, 0
    kinds = Counter(particles.kind[order[r]] for r in rows if not true[r])
    junk, count = kinds.most_common(1)[0] if kinds else ("", 0)
    members = rows[true[rows]]
    purity = len(members) / len(rows)
    if not len(members):
        return purity, junk, count / len(rows), float("nan"), -1, len(rows)
    directions = particles.turns[order[members], 2]
    # A view and its opposite are mirror images; a class may hold either.
    likeness = np.abs(directions @ directions.T)
    medoid = int(likeness.sum(axis=1).argmax())
    spread_degree = float(np.degrees(np.arccos(np.clip(likeness[medoid], 0, 1))).mean())
    return purity, junk, count / len(rows), spread_degree, int(members[medoid]), len(rows)


def _reason(graded: float, facts: Facts, off: float) -> int:
    if graded >= GOOD:
        return -1
    purity, junk, *_, count = facts
    if purity < 0.5 and junk:
        return PAINTERS[junk][1]
    if off > 0.15:
        return CENTRE
    return FEW if count < 25 else BLUR


def aligned(
    particles: Stack, index: int, psi_degree: float, origin_px: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pose and shift of a particle after RELION's alignment: moved by the origin, then turned by psi."""
    angle = np.radians(psi_degree)
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return turn @ particles.turns[index], turn[:2, :2] @ (particles.shifts_px[index] + origin_px)
