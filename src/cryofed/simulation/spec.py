"""Settings of one simulated job: molecules, box, mask, microscope, noise, program and share of junk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from cryofed.jobs.job import Program
from cryofed.simulation.imaging.spectrum import Microscope
from cryofed.simulation.molecules.molecule import Molecule
from cryofed.simulation.molecules.shapes import random_molecule

Finish = Literal["masked", "windowed", "raw"]
# masked: RELION's Wiener filter and circular mask. windowed: CryoSPARC's sharper filter and soft window.
# raw: no filter and no mask, as SIMPLE, EMAN2 and negative stain often show averages.

JUNK_SHARES = {  # from the pictures of real classifications: over-fitted noise matters most
    "noise": 2.2, "speckle": 3.6, "clump": 1.4, "aligned noise": 0.6, "streaks": 0.6, "rings": 0.6,
    "disc": 1.0, "ice": 0.8, "smear": 0.6, "blob": 1.6,
    "carbon": 0.8, "bright edge": 1.1, "edge and blob": 0.9, "corner": 0.8,
    "off centre": 1.5, "blurred": 1.3, "fuzzy ball": 0.9, "soft view": 1.3,
    "aggregate": 0.7, "broken": 0.6, "denatured": 0.6, "mixture": 0.5,
    "few particles": 0.9,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One 2D classification to simulate.

    `resolution_ratio` is the resolution of a class of the median size over the molecule's diameter; it
    sets the noise. `halo` is the share of low frequencies lost (0..1), `tau_fudge` RELION's T.
    `junk` gives each kind of junk its weight.
    """

    name: str = "job"
    molecules: tuple[Molecule, ...]
    box: int = 96
    pixel_size_angstrom: float = 2.5
    mask_diameter_angstrom: float = 180.0
    mask_edge_px: float = 4.0
    program: Program = "relion"
    finish: Finish = "masked"
    microscope: Microscope = field(default_factory=Microscope)
    negative_stain: bool = False
    classes: int = 50
    particles: int = 20_000
    junk_share: float = 0.5
    junk: Mapping[str, float] = field(default_factory=lambda: dict(JUNK_SHARES))
    resolution_ratio: float = 0.12
    tau_fudge: float = 2.0
    b_factor: float = 120.0
    halo: float = 0.3
    tilt: float = 0.0  # exponent that tilts the spectrum
    noise_colour: float = 0.4
    overfit: float = 0.2  # how much background noise passes as signal
    neighbours: float = 0.0  # brightness of neighbours at the rim of good classes
    grain: float = 0.0  # unfiltered noise on top, in deviations of the particle
    eight_bit: bool = False
    preferred_views: int = 0  # 0: all directions alike

    @property
    def mask_radius_px(self) -> float:
        """Radius of the mask in pixels."""
        return self.mask_diameter_angstrom / self.pixel_size_angstrom / 2


def random_spec(
    rng: np.random.Generator,
    name: str = "job",
    molecules: tuple[Molecule, ...] | None = None,
    boxes: tuple[int, ...] = (48, 64, 64, 80, 96, 96, 128),
    finish: Finish | None = None,
) -> Spec:
    """A job as some lab might run it: one or two molecules (procedural unless given) and shared settings."""
    if molecules is None:
        count = 2 if rng.random() < 0.35 else 1
        molecules = tuple(random_molecule(rng, f"{name}.{i + 1}") for i in range(count))
    chain = molecules[0].kind == "chain"
    stain = bool(rng.random() < (0.75 if chain else 0.06))
    drawn: Finish = "raw" if stain else _pick(rng, {"masked": 0.55, "windowed": 0.22, "raw": 0.23})
    finish = finish or drawn
    diameter = max(m.diameter_angstrom for m in molecules)
    filled = _filled(rng, finish, molecules[0].kind)
    mask = diameter / filled
    box = int(rng.choice(boxes))
    of_box = rng.uniform(0.7, 0.99) if finish == "masked" else rng.uniform(0.9, 1.0)
    defocus = rng.uniform(0.5, 1.6)
    microscope = Microscope(
        voltage_kv=float(rng.choice([200.0, 300.0, 300.0, 120.0] if not stain else [120.0, 200.0])),
        aberration_mm=float(rng.choice([2.7, 2.0, 0.01])),
        defocus_um=(defocus, defocus + rng.uniform(0.4, 1.6)),
        amplitude_contrast=0.25 if stain else float(rng.uniform(0.07, 0.12)),
    )
    classes = int(np.clip(round(20 * np.exp(rng.exponential(0.55))), 20, 100))
    # Some jobs have few particles: their good classes resolve no more than a fifth of the diameter.
    coarse = rng.random() < 0.22
    ratio = float(rng.uniform(0.2, 0.29) if coarse else np.exp(rng.uniform(np.log(0.05), np.log(0.26))))
    # A chain is long and thin: its width, not its length, says what can be seen.
    ratio *= 0.55 if chain else 1
    fewest, most = (20, 250) if coarse else (60, 3000)
    pixel = mask / (box * of_box)
    # No average is finer than its pixels.
    ratio = max(ratio, 2.3 * pixel / diameter)
    return Spec(
        name=name,
        molecules=molecules,
        box=box,
        pixel_size_angstrom=round(float(pixel), 4),
        mask_diameter_angstrom=float(round(mask)),
        mask_edge_px=float(rng.uniform(1.5, 6)) if finish == "masked" else box * 0.06,
        program={"masked": "relion", "windowed": "cryosparc", "raw": "images"}[finish],
        finish=finish,
        microscope=microscope,
        negative_stain=stain,
        classes=classes,
        particles=int(classes * np.exp(rng.uniform(np.log(fewest), np.log(most)))),
        junk_share=float(np.clip(rng.beta(2.2, 2.2), 0.08, 0.92)),
        junk=_junk_mix(rng),
        resolution_ratio=ratio,
        tau_fudge=float(rng.choice([1.0, 2.0, 2.0, 3.0, 4.0])),
        b_factor=float(np.exp(rng.uniform(np.log(20), np.log(280)))),
        halo=float(np.clip(rng.normal(0.45, 0.35), 0, 0.97)),
        tilt=float(rng.uniform(-0.4, 0.25)),
        noise_colour=float(rng.uniform(0, 1.2)),
        overfit=float(rng.exponential(0.25)),
        neighbours=float(rng.uniform(0.05, 0.35)) if rng.random() < 0.25 else 0.0,
        grain=float(np.exp(rng.uniform(np.log(0.04), np.log(0.7))))
        if rng.random() < _grain(finish, stain)
        else 0.0,
        eight_bit=bool(rng.random() < 0.2),
        preferred_views=int(rng.integers(2, 6)) if rng.random() < 0.25 else 0,
    )


def _pick(rng: np.random.Generator, shares: dict[Finish, float]) -> Finish:
    names = list(shares)
    return names[int(rng.choice(len(names), p=list(shares.values())))]


def _filled(rng: np.random.Generator, finish: Finish, kind: str) -> float:
    """Diameter over the frame: a filament fills it; others 0.35 to 0.97 of a mask, mostly about 0.75."""
    if kind in ("filament", "chain"):
        return float(rng.uniform(0.9, 1.1) if kind == "filament" else rng.uniform(0.5, 0.95))
    if finish == "masked":
        return float(np.clip(0.36 + 0.6 * rng.beta(2.6, 1.5), 0.35, 0.97))
    return float(np.clip(0.3 + 0.62 * rng.beta(2.0, 1.8), 0.3, 0.92))  # the box, not a mask, is the frame


def _grain(finish: Finish, stain: bool) -> float:
    return 0.75 if stain else {"masked": 0.12, "windowed": 0.25, "raw": 0.5}[finish]


def _junk_mix(rng: np.random.Generator) -> dict[str, float]:
    """Every lab has its own junk: each kind's weight varies, and some kinds are missing altogether."""
    weights = {kind: share * float(rng.gamma(0.9)) for kind, share in JUNK_SHARES.items()}
    return {kind: weight for kind, weight in weights.items() if weight > 0.12} or dict(JUNK_SHARES)
