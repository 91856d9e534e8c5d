"""From the mean particle to the class average: transfer, noise, the program's filter, mask and greys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.job import Images
from cryofed.simulation.imaging.projection import circular_mask
from cryofed.simulation.imaging.spectrum import Curves, Spectra, back, mean_transfer, power, spread, transform
from cryofed.simulation.spec import Spec

RANDOM = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Averaged:
    """What the program made of the classes.

    `references` went through the same transfer without noise. `weights` are the Wiener weights that the
    true signal-to-noise ratio gives; `resolution_angstrom` and `believed`, the signal-to-noise ratio by
    shell, are what the program believes; `snr` is the true one of one particle. `possible_shell` is where
    perfectly aligned particles, as many as the class has, would have a signal-to-noise ratio of 1/3: a ring
    correlation of 0.5 with the truth.
    """

    averages: Images
    references: Images
    weights: NDArray[np.float32]
    resolution_angstrom: NDArray[np.float64]
    believed: Curves
    snr: Curves
    possible_shell: NDArray[np.float64]


def transfer(spec: Spec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Amplitude of the signal by shell, and noise power by shell (white noise of one particle is 1).

    Correcting the CTF divides noise by its mean square: noise is strong where the microscope shows little.
    """
    box = spec.box
    shell = np.arange(box // 2 + 1)
    frequency = shell / (box * spec.pixel_size_angstrom)
    absolute, squared = mean_transfer(spec.microscope, frequency)
    bead = max(m.bead_angstrom for m in spec.molecules) / 2.6
    envelope = np.exp(-spec.b_factor * frequency**2 / 4 - 2 * np.square(np.pi * bead * frequency))
    tilted = np.power((shell + 2.0) / 8, spec.tilt)
    lost = 1 - spec.halo + spec.halo * absolute / absolute.max()
    if spec.negative_stain:
        # Stain resolves about 20 Å; its rim around the particle is a loss of low frequencies.
        envelope *= np.exp(-np.square(frequency * 15))
        lost = lost * (1 - 0.75 * np.exp(-np.square(frequency * spec.mask_diameter_angstrom / 2.2)))
    colour = np.power((shell + 3.0) / (3 + box / 8), -spec.noise_colour)
    # What the program does to the signal at low frequency, it does to the noise as well.
    noise = colour * (1.0 if spec.finish == "raw" else np.square(lost) / np.maximum(squared, 0.03))
    return envelope * tilted * lost, noise


def average_classes(
    spec: Spec,
    contents: Images,
    references: Images,
    particles: NDArray[np.int64],
    *,
    gain: NDArray[np.float64],
    cut: NDArray[np.float64],
    typical: NDArray[np.bool_],
    rng: RANDOM,
) -> Averaged:
    """Averages of n classes from their noise-free mean particles.

    `typical` marks the classes of true particles: at the median of their particle numbers the
    signal-to-noise ratio is 1 at the job's resolution, which sets the noise of every class.
    """
    box, n = spec.box, len(contents)
    amplitude, noise = transfer(spec)
    signal = transform(contents) * spread(amplitude, box)
    reference = transform(references) * spread(amplitude, box)
    shell = np.arange(box // 2 + 1)
    strength = power(signal, box)
    # Noise of one particle, scaled so that SSNR = 1 at the job's resolution for a median class.
    at = box * spec.pixel_size_angstrom / (spec.resolution_ratio * spec.molecules[0].diameter_angstrom)
    at = float(np.clip(at, 2, 0.46 * box))
    chosen = typical if typical.any() else np.ones(n, bool)
    middle = float(np.median(particles[chosen]))
    level = np.interp(at, shell, np.median(strength[chosen], axis=0)) / np.interp(at, shell, noise)
    single = max(float(level), 1e-12) * middle * noise
    counted = np.maximum(particles, 0.08 * middle) if spec.finish == "raw" else particles
    of_class = single / counted[:, None] * np.exp(rng.normal(-0.1, 0.25, n))[:, None]
    extra = gain[:, None] * np.exp(-np.power(shell[None, :] / cut[:, None], 4))
    ssnr = strength / of_class
    believed = (ssnr + extra) * _rough(n, len(shell), rng)
    white = transform(rng.standard_normal((n, box, box), np.float32) / np.float32(box))
    noises: Spectra = white * spread(np.sqrt(of_class * (1 + extra)), box)
    noises[:, 0, 0] = 0
    seen: Spectra = (signal + noises) * spread(_filter(spec, believed), box)
    averages = back(seen, box)
    return Averaged(
        averages=averages,
        references=back(reference, box),
        weights=spread(ssnr / (1 + ssnr), box),
        resolution_angstrom=_believed_resolution(spec, believed),
        believed=believed,
        snr=strength / single,
        possible_shell=last_above(power(reference, box) / of_class, 1 / 3),
    )


def last_above(curves: Curves, level: float) -> NDArray[np.float64]:
    """The last shell before each curve, smoothed, first falls below `level`."""
    below = _smooth(curves)[:, 1:] < level
    return np.asarray(np.where(below.any(axis=1), below.argmax(axis=1), below.shape[1]), np.float64)


def _rough(n: int, count: int, rng: RANDOM) -> Curves:
    """Estimates by shell scatter, more where a shell has few coefficients."""
    scatter = 0.25 + 0.5 / np.sqrt(np.arange(count) + 1.0)
    result: Curves = np.exp(rng.normal(0, 1, (n, count)) * scatter)
    return result


def _filter(spec: Spec, ssnr: Curves) -> Curves:
    if spec.finish == "masked":
        fudged = spec.tau_fudge * ssnr
        fudged[:, 0] = np.maximum(fudged[:, 0], 20)
        wiener: Curves = fudged / (1 + fudged)
        return wiener
    if spec.finish == "windowed":
        ring = ssnr / (1 + ssnr)
        ended = np.cumsum(_smooth(ring) < 0.143, axis=1) > 0
        weight = np.sqrt(2 * ring / (1 + ring)) * np.where(ended, 0.12, 1)
        weight[:, :2] = 1
        sharp: Curves = weight
        return sharp
    return np.ones_like(ssnr)


def _smooth(curves: Curves) -> Curves:
    padded = np.pad(curves, ((0, 0), (1, 1)), mode="edge")
    result: Curves = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3
    return result


def _believed_resolution(spec: Spec, ssnr: Curves) -> NDArray[np.float64]:
    """Å where the program's own estimate ends; inf where it ends at once, as RELION writes it."""
    level = 1 / spec.tau_fudge if spec.finish == "masked" else 0.167  # FRC 0.143 = 0.167 / 1.167
    last = last_above(ssnr, level)
    with np.errstate(divide="ignore"):
        return np.asarray(spec.box * spec.pixel_size_angstrom / last, np.float64)


def present(spec: Spec, averages: Images, rng: RANDOM) -> Images:
    """Mask or window, unfiltered grain, and the grey scale that the program or a screenshot gives."""
    box = spec.box
    images = averages.astype(np.float32)
    if spec.grain > 0:
        inside = circular_mask(box, 0.3 * box, 1) > 0.5
        deviation = images[:, inside].std(axis=1)[:, None, None]
        strength = np.float32(spec.grain * np.median(deviation) * rng.uniform(0.7, 1.3))
        images = images + strength * _grain(images.shape, rng)
    if spec.finish == "masked":
        rim = min(spec.mask_radius_px, box / 2 - 1)
        images = images * circular_mask(box, rim - spec.mask_edge_px / 2, spec.mask_edge_px)
    elif spec.finish == "windowed":
        images = images * circular_mask(box, 0.42 * box, spec.mask_edge_px)
    if spec.negative_stain and spec.finish == "raw" and rng.random() < 0.4:
        images = np.stack([_turned_frame(image, rng) for image in images])
    scale = np.float32(np.exp(rng.uniform(np.log(0.02), np.log(30))))
    return screenshot(images, rng) if spec.eight_bit else images * scale


def _grain(shape: tuple[int, ...], rng: RANDOM) -> Images:
    """White noise of deviation 1, or in half of the jobs noise of one band; alike in all classes of a job."""
    white = rng.standard_normal(shape).astype(np.float32)
    if rng.random() < 0.5:
        return white
    box = shape[-1]
    shell = np.arange(box, dtype=np.float64)
    low, high = box * rng.uniform(0.02, 0.12), box * rng.uniform(0.18, 0.45)
    band = (1 - np.exp(-np.square(shell / low))) * np.exp(-np.power(shell / high, 4))
    grain = back(transform(white) * spread(band, box), box)
    return grain / max(float(grain.std()), 1e-9)


def _turned_frame(image: NDArray[np.float32], rng: RANDOM) -> NDArray[np.float32]:
    """Flat corners, where the turned boxes of the particles had no pixels."""
    axis = np.arange(len(image)) - len(image) / 2 + 0.5
    angle = rng.uniform(-0.5, 0.5)
    c, s = np.cos(angle), np.sin(angle)
    x, y = c * axis[None, :] + s * axis[:, None], c * axis[:, None] - s * axis[None, :]
    inside = np.maximum(np.abs(x), np.abs(y)) < 0.49 * len(image)
    return np.where(inside, image, np.float32(np.median(image[inside])))


def screenshot(images: Images, rng: RANDOM) -> Images:
    """Each image stretched to 0..255 between two quantiles, with a gamma, and rounded."""
    low = np.quantile(images, rng.uniform(0, 0.01), axis=(1, 2), keepdims=True)
    high = np.quantile(images, 1 - rng.uniform(0, 0.006), axis=(1, 2), keepdims=True)
    stretched = np.clip((images - low) / np.maximum(high - low, 1e-12), 0, 1)
    gamma = np.exp(rng.normal(0, 0.12))
    return np.asarray(np.round(255 * np.power(stretched, gamma)), np.float32)
