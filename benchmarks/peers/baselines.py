"""What the peers measure of a job's classes beside the picture, written new from published descriptions.

RELION's class ranker: 18 features. CryoSift: six. SIMPLE: about fourteen, as robust z within the job. What a
job does not tell is NaN in the first two, and 0 in the last.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cryofed.jobs.job import ClassJob
from cryofed.scoring.features import robust_z
from cryofed.scoring.prepare import is_dark, job_radius_px, resample

Columns = NDArray[np.float32]
WORK = 64  # pixels across the mask in which the features are measured


def pictures(job: ClassJob) -> NDArray[np.float32]:
    """The mask's square at 64 × 64, protein bright, in the job's own grey scale divided by its deviation."""
    images = resample(job.averages, job_radius_px(job), WORK) * (-1 if is_dark(job.averages) else 1)
    scale = float(np.median(images.std(axis=(1, 2)))) or 1.0
    return np.asarray(images / scale, np.float32)


def relion_features(job: ClassJob) -> Columns:
    """The 18 effective features of RELION's class ranker, `(n, 18)`; the first four are of the table.

    Lengths are taken relative to the mask, since simulated jobs share no pixel size with RELION's.
    """
    images, table = pictures(job), job.classes
    y, x = np.indices((WORK, WORK)) - (WORK - 1) / 2
    radius = np.hypot(y, x) / (WORK / 2)
    inside, rim = radius < 1, (radius > 0.95) & (radius < 1)
    low = ndimage.gaussian_filter(images, (0, 1.5, 1.5))
    rows, sums = [], []
    for image, smooth in zip(images, low, strict=True):
        protein, scattered = _islands(smooth, radius)
        solvent = inside & ~protein
        circle = smooth[inside]
        sums.append([image[protein].sum(), image[solvent].sum(), 0.0])
        sums[-1][2] = sums[-1][0] - (image[solvent].mean() if solvent.any() else 0) * protein.sum()
        rows.append([
            image[rim].mean(), image[rim].std(),
            image[protein].std() if protein.any() else 0,
            image[solvent].mean() if solvent.any() else 0, image[solvent].std() if solvent.any() else 0,
            scattered.sum() / (scattered.sum() + protein.sum() + 1), protein[rim].mean(),
            circle.mean(), circle.std(), circle.min(), circle.max(),
        ])  # fmt: skip
    particles = np.where(table.particles >= 0, np.maximum(table.particles, 3), np.nan)
    resolution = np.where(table.resolution_angstrom > 0, table.resolution_angstrom, np.nan)
    told = np.stack([
        np.minimum(table.accuracy_rotation_degree, 5), np.minimum(table.accuracy_translation_angstrom, 8),
        1e3 / resolution**2 / np.log(particles), resolution / (job.mask_diameter_angstrom or np.nan),
    ], axis=1)  # fmt: skip
    within = np.array(sums)
    spread = within.std(axis=0)
    within = (within - within.mean(axis=0)) / np.where(spread > 1e-10, spread, 1)
    told[~np.isfinite(told)] = np.nan
    return np.concatenate([told, np.array(rows), within], axis=1).astype(np.float32)


def _islands(smooth: NDArray[np.float32], radius: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
    """Protein (islands large enough near the centre) and scattered signal, 4-connected."""
    lit, count = ndimage.label((smooth > 0.05 * smooth.std()) & (radius < 1))
    area = ndimage.sum_labels(radius < 0.6, lit, np.arange(count + 1))
    large = area > 0.1 * np.pi * 0.36 * (WORK / 2) ** 2
    large[0] = False
    protein = large[lit]
    return protein, (lit > 0) & ~protein


def cryosift_features(job: ClassJob) -> Columns:
    """CryoSift's six: resolution, share of particles, pixel size (of the table), three distances of mass."""
    images, table = pictures(job), job.classes
    edge = np.concatenate(
        [images[:, :2].reshape(len(images), -1), images[:, -2:].reshape(len(images), -1)], 1
    )
    bright = images > (edge.mean(axis=1) + 3 * edge.std(axis=1))[:, None, None]
    mass = (images * bright).sum(axis=(1, 2)) / WORK
    counts, edges = np.histogram(mass, 12)
    mode = edges[counts.argmax()]
    resolution = np.where(np.isfinite(table.resolution_angstrom), table.resolution_angstrom, np.nan)
    particles = np.where(table.particles >= 0, table.particles, np.nan)
    return np.stack([
        resolution, particles / max(float(np.nansum(particles)), 1.0),
        np.full(len(mass), job.pixel_size_angstrom or np.nan),
        np.abs(mass - mass.mean()), np.abs(mass - np.median(mass)), np.abs(mass - mode),
    ], axis=1).astype(np.float32)  # fmt: skip


def simple_features(job: ClassJob) -> Columns:
    """Fourteen numbers as robust z within the job, clipped to ± 4, unknown ones 0."""
    images, table = pictures(job), job.classes
    y, x = np.indices((WORK, WORK)) - (WORK - 1) / 2
    radius = np.hypot(y, x) / (WORK / 2)
    flat = images.reshape(len(images), -1)
    centre, ring = flat[:, (radius < 0.5).ravel()], flat[:, ((radius > 0.7) & (radius < 0.95)).ravel()]
    shells = _shell_power(images)
    lit = np.maximum(images - np.quantile(flat, 0.7, axis=1)[:, None, None], 0) * (radius < 1)
    weight = lit.sum(axis=(1, 2)) + 1e-6
    cy, cx = (lit * y).sum(axis=(1, 2)) / weight, (lit * x).sum(axis=(1, 2)) / weight
    spread = np.sqrt((lit * (x**2 + y**2)).sum(axis=(1, 2)) / weight)
    profile = np.log(shells + 1e-9)
    profile = (profile - profile.mean(1, keepdims=True)) / (profile.std(1, keepdims=True) + 1e-9)
    like = np.sort(profile @ profile.T / profile.shape[1], axis=1)[:, -6:-1].mean(axis=1)
    particles = np.where(table.particles >= 0, np.log10(np.maximum(table.particles, 0) + 1.0), np.nan)
    resolution = np.where(np.isfinite(table.resolution_angstrom), table.resolution_angstrom, np.nan)
    columns = [
        particles, -np.log(resolution), centre.mean(1) - ring.mean(1), np.log(centre.std(1) + 1e-9),
        -np.log(ring.std(1) + 1e-9), np.log(centre.std(1) / (ring.std(1) + 1e-9) + 1e-9),
        np.log(shells[:, 2:6].sum(1) + 1e-9), np.log(shells[:, 6:12].sum(1) + 1e-9),
        np.log(shells[:, 12:24].sum(1) + 1e-9), -np.hypot(cy, cx), -spread, flat.max(1),
        like, -np.abs(flat[:, (radius > 0.9).ravel()]).max(1),
    ]  # fmt: skip
    z = np.stack([robust_z(np.asarray(c, np.float64)) for c in columns], axis=1)
    return np.nan_to_num(np.clip(z, -4, 4)).astype(np.float32)


def _shell_power(images: NDArray[np.float32]) -> NDArray[np.float64]:
    power = np.abs(np.fft.fft2(images - images.mean(axis=(1, 2), keepdims=True))) ** 2
    k = np.fft.fftfreq(WORK, 1 / WORK)
    shell = np.rint(np.hypot(k[:, None], k[None, :])).astype(int).ravel()
    chosen = shell < WORK // 2
    sums = [np.bincount(shell[chosen], p.ravel()[chosen], WORK // 2) for p in power]
    return np.array(sums) / np.bincount(shell[chosen], minlength=WORK // 2)
