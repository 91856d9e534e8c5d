"""Which classes a simulated job has: molecules in several views, junk kinds, and particles in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.simulation.imaging.projection import Image
from cryofed.simulation.junk.paint import blob, rim
from cryofed.simulation.junk.painters import PAINTERS
from cryofed.simulation.molecules.molecule import Molecule
from cryofed.simulation.scene import RANDOM, Scene, view_of

GOOD = "particle"
# Soft junk stands before the background of good classes.
SOFT = ("blurred", "fuzzy ball", "soft view", "blob", "broken", "denatured", "mixture")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One class before the microscope and the program see it.

    `content` is the mean of its particles without noise; `reference` the projection at its own view at
    rest, None for junk. `gain` and `cut` (cycles per box): how strongly noise passes for signal, up to
    where.
    """

    kind: str
    content: Image
    reference: Image | None
    particles: int
    purity: float
    view_spread_degree: float
    offset_px: float
    molecule: int
    view: NDArray[np.float64]
    gain: float
    cut: float


def draw_classes(scene: Scene, rng: RANDOM) -> list[Drawn]:
    """All classes of a job, in random order as a classification leaves them."""
    spec = scene.spec
    kinds = _kinds(scene, rng)
    # Averages without a filter show their noise: soft junk has that of good classes there.
    counts = _particles(kinds, spec.particles, SOFT if spec.finish == "raw" else (), rng)
    views = [_preferred(m, spec.preferred_views, rng) for m in spec.molecules]
    true = [n for kind, n in zip(kinds, counts, strict=True) if kind == GOOD]
    usual = float(np.median(true)) if true else float(np.median(counts))
    return [
        _draw(scene, kind, (int(n), n / usual), views, rng) for kind, n in zip(kinds, counts, strict=True)
    ]


def _kinds(scene: Scene, rng: RANDOM) -> list[str]:
    spec = scene.spec
    n_junk = round(spec.junk_share * spec.classes)
    names = list(spec.junk)
    shares = np.array([spec.junk[name] for name in names])
    junk = [names[i] for i in rng.choice(len(names), n_junk, p=shares / shares.sum())]
    kinds = junk + [GOOD] * (spec.classes - n_junk)
    return [kinds[i] for i in rng.permutation(len(kinds))]


def _particles(kinds: list[str], total: int, large: tuple[str, ...], rng: RANDOM) -> NDArray[np.int64]:
    """Particles of each class: good ones, and junk as `large`, are larger as a rule; sometimes noise is."""
    middle = {GOOD: 0.0, "few particles": -4.2, "noise": -1.0, "disc": -2.6, "carbon": -2.4, "ice": -2.2}
    middle |= dict.fromkeys(large, 0.0)
    scatter = rng.uniform(0.5, 1.2)
    # Half of the junk classes are small ones, where noise shows as much as what they hold.
    alike = (GOOD, *large)
    less = [-1.6 * float(rng.exponential()) * (k not in alike and rng.random() < 0.5) for k in kinds]
    usual = np.array([middle.get(kind, -1.6) for kind in kinds])
    weights = np.exp(usual + np.array(less) + rng.normal(0, scatter, len(kinds)))
    counts = np.asarray(np.maximum(np.round(weights / weights.sum() * total), 1), np.int64)
    few = np.array([kind == "few particles" for kind in kinds])
    counts[few] = np.maximum(1, np.minimum(counts[few], rng.integers(1, 16, int(few.sum()))))
    return counts


def _preferred(molecule: Molecule, count: int, rng: RANDOM) -> NDArray[np.float64] | None:
    if count == 0 or molecule.views == "side":
        return None
    return np.stack([view_of(molecule, rng) for _ in range(count)])


def _draw(
    scene: Scene, kind: str, size: tuple[int, float], views: list[NDArray[np.float64] | None], rng: RANDOM
) -> Drawn:
    n, size_in_job = size
    if kind in (GOOD, "few particles"):
        return _particle(scene, kind, (n, float(size_in_job)), views, rng)
    content = PAINTERS[kind][0](scene, rng)
    pure = {"blurred": (0.6, 1.0), "mixture": (0.3, 0.6)}.get(kind, (0.0, 0.12))
    gain, ratio = _overfitting(scene, kind, rng)
    return Drawn(
        kind=kind, content=content, reference=None, particles=n, purity=float(rng.uniform(*pure)),
        view_spread_degree=float("nan"), offset_px=0.0, molecule=-1, view=np.full(3, np.nan),
        gain=gain, cut=scene.box / (scene.first_size * ratio),
    )  # fmt: skip


def _overfitting(scene: Scene, kind: str, rng: RANDOM) -> tuple[float, float]:
    """Gain, and the resolution over the diameter up to which noise passes for signal in junk.

    Soft junk has both as good classes have them: grain in the background tells nothing.
    """
    if kind in SOFT:
        spec = scene.spec
        return float(spec.overfit * rng.uniform(0.3, 2)), float(spec.resolution_ratio * rng.uniform(0.9, 2.0))
    if kind == "noise":
        return float(np.exp(rng.uniform(np.log(1.5), np.log(40)))), float(
            np.exp(rng.uniform(np.log(0.12), np.log(0.7)))
        )
    return float(rng.exponential(0.8)), float(np.exp(rng.uniform(np.log(0.1), np.log(0.5))))


def _particle(
    scene: Scene, kind: str, counted: tuple[int, float], views: list[NDArray[np.float64] | None], rng: RANDOM
) -> Drawn:
    n, size_in_job = counted
    spec = scene.spec
    index = int(rng.integers(len(spec.molecules)))
    molecule = spec.molecules[index]
    view = view_of(molecule, rng, views[index])
    size = scene.size(molecule)
    few = kind != GOOD
    # Alignment is about as good as the resolution allows, and worse in small classes.
    error = spec.resolution_ratio * float(np.exp(rng.normal(0, 0.22))) * size_in_job**-0.4
    # A class that holds more views than it should: blurred to any degree.
    error *= float(np.exp(rng.uniform(0.2, 1.8))) if rng.random() < 0.16 else 1
    spread = float(np.clip(38 * error, 0.8, 50))
    off = rng.normal(0, 0.012, 2) * size * (4 if rng.random() < 0.06 else 1)
    content = scene.blurred_view(
        molecule, view, rng, spread_degree=spread, in_plane_degree=float(rng.uniform(0.4, 0.8) * spread),
        shift_px=size * error * float(rng.uniform(0.03, 0.12)),
        offset_px=(float(off[0]), float(off[1])), n=8,
    )  # fmt: skip
    dirty = (0.05 if rng.random() < 0.8 else 0.25) * size_in_job**-0.25
    purity = 1 - float(np.clip(rng.exponential(dirty), 0, 0.6))
    if few:
        purity = float(rng.uniform(0.5, 1))
    if purity < 0.95:
        dirt = PAINTERS[str(rng.choice(["broken", "denatured", "blurred"]))][0](scene, rng)
        content = np.float32(purity) * content + np.float32(1 - purity) * dirt
    if spec.neighbours > 0:
        content = content + _neighbours(scene, molecule, rng)
    return Drawn(
        kind=kind, content=content, reference=scene.still(molecule, view), particles=n, purity=purity,
        view_spread_degree=spread, offset_px=float(np.hypot(*off)), molecule=index, view=view[2],
        gain=float(spec.overfit * rng.uniform(0.3, 2) * size_in_job**-0.3) + (3.0 if few else 0.0),
        cut=scene.box / (size * spec.resolution_ratio * rng.uniform(0.9, 2.0)),
    )  # fmt: skip


def _neighbours(scene: Scene, molecule: Molecule, rng: RANDOM) -> Image:
    """Faint arcs around the particle, where other particles of the micrograph are on average."""
    size = scene.size(molecule)
    image = np.zeros((scene.box, scene.box), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        at = rim(rng, size * rng.uniform(0.85, 1.25))
        reach = size * rng.uniform(0.2, 0.45)
        bright = np.float32(scene.spec.neighbours * rng.uniform(0.3, 1.5))
        image += bright * blob(scene.box, at, (reach, reach * rng.uniform(0.5, 1)), rng.uniform(0, np.pi))
    return image
