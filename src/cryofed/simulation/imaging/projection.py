"""Molecules seen by the microscope: projections of beads, averaged over a cone of views."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cryofed.jobs.job import Images
from cryofed.simulation.molecules.molecule import Molecule

Image = NDArray[np.float32]  # (box, box)


def project(
    molecule: Molecule,
    turns: NDArray[np.float64],
    shifts_px: NDArray[np.float64],
    *,
    box: int,
    pixel_size_angstrom: float,
    rng: np.random.Generator | None = None,
) -> Image:
    """The mean projection over v views, `(box, box)`; the sum of its pixels is the sum of the weights.

    Args:
        turns: `(v, 3, 3)` rotations; the projection is along the turned z axis, centre pixel `box // 2`.
        shifts_px: `(v, 2)` x and y.
        rng: lets the moving part sway, differently in each view; None leaves it at rest.
    """
    views = len(turns)
    seen = _turned(turns[:, :2], molecule.positions)
    if rng is not None and molecule.sway_degree > 0:
        arm = molecule.positions[molecule.moving] - molecule.hinge
        sway = Rotation.from_rotvec(rng.normal(0, np.radians(molecule.sway_degree), (views, 3))).as_matrix()
        swayed = _turned(turns[:, :2] @ sway, arm)
        seen[:, molecule.moving] = swayed + (turns[:, :2] @ molecule.hinge)[:, None, :]
    spots = seen / pixel_size_angstrom + (box // 2 + shifts_px[:, None, :])
    weights = np.broadcast_to(molecule.weights / views, seen.shape[:2])
    return _splat(spots.reshape(-1, 2), weights.ravel(), box)


def _turned(turns: NDArray[np.float64], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """`(v, i, 3)` matrices times `(m, 3)` points: `(v, m, i)`."""
    turned: NDArray[np.float32] = np.matmul(turns.astype(np.float32), points.T).transpose(0, 2, 1)
    return turned


def _splat(spots: NDArray[np.floating], weights: NDArray[np.floating], box: int) -> Image:
    """Each bead shared among its four nearest pixels; what falls outside the box is lost."""
    corner = np.floor(spots)
    fraction = spots - corner
    x, y = corner[:, 0].astype(np.int64), corner[:, 1].astype(np.int64)
    inside = (x >= 0) & (y >= 0) & (x < box - 1) & (y < box - 1)
    x, y, w = x[inside], y[inside], weights[inside]
    right, down = fraction[inside, 0], fraction[inside, 1]
    flat = y * box + x
    image = np.bincount(flat, w * (1 - right) * (1 - down), box * box)
    image += np.bincount(flat + 1, w * right * (1 - down), box * box)
    image += np.bincount(flat + box, w * (1 - right) * down, box * box)
    image += np.bincount(flat + box + 1, w * right * down, box * box)
    return np.asarray(image.reshape(box, box), np.float32)


def cone(
    rng: np.random.Generator, view: NDArray[np.float64], spread_degree: float, in_plane_degree: float, n: int
) -> NDArray[np.float64]:
    """n rotations near `view`: tilted out of the plane by `spread_degree`, turned in it (normal)."""
    wobble = rng.normal(size=(n, 3)) * np.radians([spread_degree, spread_degree, in_plane_degree])
    result: NDArray[np.float64] = Rotation.from_rotvec(wobble).as_matrix() @ view
    return result


def direction(view: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the microscope stands, seen from the molecule: unit vector `(3,)`."""
    result: NDArray[np.float64] = view[2]
    return result


def radial(box: int) -> NDArray[np.float32]:
    """Distance of every pixel from the centre pixel `box // 2`, in pixels."""
    axis = np.arange(box, dtype=np.float32) - box // 2
    return np.hypot(axis[:, None], axis[None, :]).astype(np.float32)


def circular_mask(box: int, radius_px: float, edge_px: float) -> Image:
    """1 inside `radius_px`, 0 beyond `radius_px + edge_px`, a raised cosine between (as RELION's)."""
    ramp = np.clip((radial(box) - radius_px) / max(edge_px, 1e-3), 0, 1)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * ramp), np.float32)


def stack(images: list[Image]) -> Images:
    """Images of one box as `(n, box, box)`."""
    return np.stack(images).astype(np.float32)
