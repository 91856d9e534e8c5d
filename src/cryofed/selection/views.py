"""Groups of averages that show the same view, whatever their rotation and hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.job import ClassJob, Images
from cryofed.scoring.prepare import SIDE, prepare_job

ANGLES = 72  # steps of 5° around the circle
RINGS = 14  # radii from the centre
REACH = 0.75  # the outermost ring, in mask radii: behind it is mostly solvent
BLUR_PX = 1.0  # of a prepared average; grain is no likeness
SAME_VIEW = 0.75  # mean correlation from which two groups are one view; see benchmarks/views.py

LIKELY = 0.2  # a score from which a class may be one of real particles
FIRM = 0.8  # a score from which one class alone counts as a view


def group_views(job: ClassJob, score: NDArray[np.float64], same: float = SAME_VIEW) -> NDArray[np.int64]:
    """Number of the view of every class, `(n,)` from 1, the best-scored view first; 0 where not scored."""
    scored = np.flatnonzero(np.isfinite(score))
    view = np.zeros(len(score), np.int64)
    if not len(scored):
        return view
    images = prepare_job(_thinned(job))[scored]
    labels = average_linkage(similarity(images), same)
    ranked: dict[int, int] = {}
    for i in np.argsort(-score[scored], kind="stable"):
        ranked.setdefault(int(labels[i]), len(ranked) + 1)
    view[scored] = [ranked[int(label)] for label in labels]
    return view


def _thinned(job: ClassJob) -> ClassJob:
    """Every n-th pixel of a large box: far more than the 64 × 64 that are compared, and much faster."""
    step = job.box // (2 * SIDE)
    if step < 2:
        return job
    start = job.box // 2 % step  # the centre stays a pixel, and stays box // 2
    pixel = job.pixel_size_angstrom
    return replace(
        job,
        averages=np.ascontiguousarray(job.averages[:, start::step, start::step]),
        pixel_size_angstrom=None if pixel is None else pixel * step,
    )


def similarity(images: Images) -> NDArray[np.float32]:
    """`(n, n)` correlation of every two averages at the best rotation and hand, 1 on the diagonal.

    `images`: `(n, side, side)` prepared averages. Each is smoothed and read on rings, around the middle and
    around its bright mass, whichever fits better: programs centre what they align, but not always. The
    correlation over all rotations of one ring is one Fourier product, so all pairs cost a few matrix
    products. Rings lose their mean: a bright blob is no likeness.
    """
    side = images.shape[-1]
    axis = np.arange(side)
    blur = np.exp(-((axis[:, None] - axis) ** 2) / (2 * BLUR_PX**2)).astype(np.float32)
    blur /= blur.sum(axis=1, keepdims=True)
    smooth = np.asarray(blur @ images @ blur.T, np.float32)
    middle = np.full((len(images), 2), (side - 1) / 2)
    result = np.maximum(_turned(polar(smooth, middle)), _turned(polar(smooth, bright_centre(smooth))))
    np.fill_diagonal(result, 1)
    return np.maximum(result, result.T)


def _turned(rings: Images) -> NDArray[np.float32]:
    """The best correlation of every two sets of rings over all rotations and both hands."""
    weight = np.sqrt(np.arange(1, RINGS + 1, dtype=np.float32))[None, :, None]
    spectrum = np.fft.rfft((rings - rings.mean(axis=2, keepdims=True)) * weight, axis=2).astype(np.complex64)
    by_order = np.ascontiguousarray(spectrum.transpose(2, 0, 1))  # (orders, n, rings)
    best = np.full((len(rings), len(rings)), -np.inf)
    for hand in (by_order, by_order.conj()):
        product = by_order.conj() @ hand.transpose(0, 2, 1)  # (orders, n, n)
        best = np.maximum(best, np.fft.irfft(product, ANGLES, axis=0).max(axis=0))
    norm = np.sqrt((np.fft.irfft(spectrum, ANGLES, axis=2) ** 2).sum(axis=(1, 2)))
    result: NDArray[np.float32] = (best / np.maximum(norm[:, None] * norm, 1e-12)).astype(np.float32)
    return result


def polar(images: Images, centre: NDArray[np.float64]) -> Images:
    """`(n, RINGS, ANGLES)`: averages on rings around their centre `(n, 2)` (y, x), bilinear."""
    n, side, _ = images.shape
    radius = (np.arange(1, RINGS + 1) / RINGS * (REACH * side / 2))[:, None]
    angle = np.arange(ANGLES) * (2 * np.pi / ANGLES)
    y = np.clip(centre[:, 0, None, None] + radius * np.sin(angle), 0, side - 1.001)
    x = np.clip(centre[:, 1, None, None] + radius * np.cos(angle), 0, side - 1.001)
    row, column = y.astype(int), x.astype(int)
    dy, dx = (y - row).astype(np.float32), (x - column).astype(np.float32)
    i = np.arange(n)[:, None, None]
    top = images[i, row, column] * (1 - dx) + images[i, row, column + 1] * dx
    bottom = images[i, row + 1, column] * (1 - dx) + images[i, row + 1, column + 1] * dx
    return np.asarray(top * (1 - dy) + bottom * dy, np.float32)


def bright_centre(images: Images) -> NDArray[np.float64]:
    """`(n, 2)` centre (y, x) of what is brighter than one deviation, never far from the middle."""
    side = images.shape[-1]
    middle = (side - 1) / 2
    bright = np.maximum(images - 1, 0)
    mass = np.maximum(bright.sum(axis=(1, 2)), 1e-6)
    axis = np.arange(side) - middle
    y = (bright.sum(axis=2) @ axis) / mass
    x = (bright.sum(axis=1) @ axis) / mass
    centre: NDArray[np.float64] = middle + np.clip(np.stack([y, x], axis=1), -side / 8, side / 8)
    return centre


def average_linkage(alike: NDArray[np.float32], same: float) -> NDArray[np.int64]:
    """Labels of groups: the two most alike are merged while their mean likeness is `same` or more."""
    n = len(alike)
    label = np.arange(n)
    mean = alike.astype(np.float64)
    np.fill_diagonal(mean, -np.inf)
    size = np.ones(n)
    while n > 1:
        a, b = divmod(int(np.argmax(mean)), n)
        if mean[a, b] < same:
            break
        merged = (size[a] * mean[a] + size[b] * mean[b]) / (size[a] + size[b])
        mean[a], mean[:, a] = merged, merged
        mean[a, a] = -np.inf
        mean[b], mean[:, b] = -np.inf, -np.inf
        size[a] += size[b]
        label[label == b] = a
    return label


def views_kept(
    view: NDArray[np.int64], kept: NDArray[np.bool_], score: NDArray[np.float64]
) -> tuple[int, int]:
    """Views that count and have a kept class, and views that count."""
    counts = counted(view, score)
    return len(counts & set(view[kept].tolist())), len(counts)


def counted(view: NDArray[np.int64], score: NDArray[np.float64]) -> set[int]:
    """Numbers of the views that say something: two classes or more that may be good, or one that surely is.

    A single soft class is as likely junk as a rare view, and junk alike in itself is no view: neither may
    comfort ("all views kept") or alarm.
    """
    known = np.nan_to_num(score, nan=-1)
    likely, times = np.unique(view[known >= LIKELY], return_counts=True)
    firm = np.unique(view[known >= FIRM])
    return (set(likely[times >= 2].tolist()) | set(firm.tolist())) - {0}
