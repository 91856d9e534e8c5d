"""Small simulated federations: five sites that differ in one way or in all; held-out molecules for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cryofed.library.labelled import Labelled
from cryofed.scoring.features import features
from cryofed.scoring.prepare import prepare_job
from cryofed.scoring.scorer import scorable
from cryofed.simulation.classes.habits import HABITS, Habit, label
from cryofed.simulation.classes.job import simulate_job
from cryofed.simulation.classes.truth import SimulatedJob
from cryofed.simulation.imaging.spectrum import Microscope
from cryofed.simulation.molecules.shapes import KINDS, random_molecule
from cryofed.simulation.spec import Spec, random_spec

SITES = 5
KEPT = ("train", "validation", "held_out")  # the parts of a site
OTHER_SPLITS = ("iid", "molecule", "microscope", "habit")
SPLITS = (*OTHER_SPLITS, "mixed")  # mixed differs in all; it is the default
TRUE_HAND = Habit(scale="binary", error=0.0, slips=0.0)  # labels as the truth has them
# Which molecules a lab works on; together all kinds of the simulation.
LABS = (
    ("small", "lobes", "chain"),
    ("membrane", "complex"),
    ("large", "cyclic"),
    ("dihedral", "barrel", "rod"),
    ("cage T", "cage O", "cage I", "filament"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What each site trains on and keeps aside, with its own labels, and the truth that all are judged on."""

    train: tuple[Labelled, ...]
    validation: tuple[Labelled, ...]  # jobs by which a site may choose between models
    held_out: tuple[Labelled, ...]  # jobs that nothing was chosen by
    test: Labelled  # molecules and settings that no site has, borderline classes left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """How one site differs."""

    kinds: tuple[str, ...]
    habit: Habit
    look: Callable[[Spec], Spec]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of it: jobs per site and in the test, pixels along an average."""

    jobs: int
    validation_jobs: int
    held_out_jobs: int
    test_jobs: int
    side: int


def make_world(split: str, seed: int, size: Size) -> World:
    """The federation of a split; the same arguments give the same bits."""
    parts: dict[str, list[Labelled]] = {name: [] for name in KEPT}
    for number in range(SITES):
        lab = lab_of(split, number)
        first = 0
        for name, jobs in zip(KEPT, (size.jobs, size.validation_jobs, size.held_out_jobs), strict=True):
            made = [
                _labelled(
                    _site_job(lab, [seed, SPLITS.index(split), number, i]),
                    i,
                    lab.habit,
                    [seed, number, i],
                    size.side,
                )
                for i in range(first, first + jobs)
            ]
            parts[name].append(Labelled.join(made))
            first += jobs
    sites = {name: tuple(made) for name, made in parts.items()}
    return World(**sites, test=_test(seed, size.test_jobs, size.side))


def cached_world(folder: Path, split: str, seed: int, size: Size) -> World:
    """`make_world`, kept in `folder`."""
    numbers = (size.jobs, size.validation_jobs, size.held_out_jobs, size.test_jobs, size.side)
    path = folder / f"{split}-{seed}-{'-'.join(map(str, numbers))}.npz"
    if not path.exists():
        world = make_world(split, seed, size)
        parts = {"test": world.test}
        for kind in KEPT:
            parts |= {f"{kind}{i}": part for i, part in enumerate(getattr(world, kind))}
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {f"{p}.{n}": getattr(part, n) for p, part in parts.items() for n in Labelled.__slots__}
        np.savez(path.with_suffix(".part.npz"), **arrays)
        path.with_suffix(".part.npz").rename(path)
    with np.load(path, allow_pickle=False) as known:
        loaded = dict(known)

    def part(name: str) -> Labelled:
        return Labelled(**{column: loaded[f"{name}.{column}"] for column in Labelled.__slots__})

    sites = {kind: tuple(part(f"{kind}{i}") for i in range(SITES)) for kind in KEPT}
    return World(**sites, test=part("test"))


def lab_of(split: str, number: int) -> Lab:
    """Site `number` (from 0) of a split."""
    everything = split == "mixed"
    return Lab(
        kinds=LABS[number] if everything or split == "molecule" else tuple(KINDS),
        habit=HABITS[number] if everything or split == "habit" else TRUE_HAND,
        look=LOOKS[number] if everything or split == "microscope" else _as_it_is,
    )


def _as_it_is(spec: Spec) -> Spec:
    return spec


def _looks() -> tuple[Callable[[Spec], Spec], ...]:
    """One microscope, finish and noise each: 300 kV and sharp, 200 kV, grainy, negative stain, heavy halo."""

    def sharp(spec: Spec) -> Spec:
        return replace(spec, microscope=_scope(300, 0.5), grain=0.0, halo=0.2, b_factor=40.0, eight_bit=False)

    def middling(spec: Spec) -> Spec:
        return replace(spec, microscope=_scope(200, 1.0), overfit=0.6, tilt=-0.3, grain=0.0)

    def grainy(spec: Spec) -> Spec:
        return replace(spec, microscope=_scope(200, 1.4), grain=0.5, b_factor=150.0, noise_colour=1.0)

    def stained(spec: Spec) -> Spec:
        scope = replace(_scope(120, 0.8), amplitude_contrast=0.25)
        return replace(spec, microscope=scope, negative_stain=True, finish="raw", program="images")

    def soft(spec: Spec) -> Spec:
        return replace(spec, microscope=_scope(300, 1.5), halo=0.9, b_factor=300.0, neighbours=0.3)

    return sharp, middling, grainy, stained, soft


def _scope(voltage_kv: float, defocus_um: float) -> Microscope:
    return Microscope(voltage_kv=voltage_kv, defocus_um=(defocus_um, defocus_um + 0.8))


LOOKS = _looks()


def _site_job(lab: Lab, entropy: list[int]) -> SimulatedJob:
    rng = np.random.default_rng(entropy)
    shares = np.array([KINDS[kind][0] for kind in lab.kinds])
    kind = str(rng.choice(lab.kinds, p=shares / shares.sum()))
    spec = random_spec(rng, "job", (random_molecule(rng, "molecule", kind),), (48, 64, 64, 80))
    return simulate_job(lab.look(replace(spec, negative_stain=False)), np.random.SeedSequence([*entropy, 1]))


def _labelled(made: SimulatedJob, number: int, habit: Habit, entropy: list[int], side: int) -> Labelled:
    """One job as this expert labels it."""
    usable = scorable(made.job)
    said = label(made.truth, habit, np.random.default_rng(entropy))
    exact = habit is TRUE_HAND
    target = made.truth.quality if exact else said.kept
    good = made.truth.good if exact else said.kept
    return Labelled(
        images=shrunk(prepare_job(made.job)[usable], side).astype(np.float16),
        features=features(made.job)[usable],
        target=target[usable].astype(np.float32),
        good=good[usable],
        reason=made.truth.reason[usable] if exact else np.full(int(usable.sum()), -1, np.int8),
        job=np.full(int(usable.sum()), number),
        project=np.full(int(usable.sum()), number),
    )


def _test(seed: int, jobs: int, side: int) -> Labelled:
    """Jobs of new molecules, every lab's kinds and looks in turn; borderline classes have no true answer."""
    parts = []
    for i in range(jobs):
        lab = Lab(kinds=tuple(KINDS), habit=TRUE_HAND, look=(_as_it_is, *LOOKS)[i % (SITES + 1)])
        made = _site_job(lab, [seed, 99, i])
        part = _labelled(made, i, TRUE_HAND, [seed, 99, i], side)
        parts.append(part.take(~made.truth.borderline[scorable(made.job)]))
    return Labelled.join(parts)


def release_corpus(seed: int, jobs: int, side: int) -> Labelled:
    """What the first release was trained on: common molecules, one good microscope, true labels."""
    lab = Lab(kinds=("complex", "large", "cyclic"), habit=TRUE_HAND, look=LOOKS[0])
    parts = [_labelled(_site_job(lab, [seed, i]), i, TRUE_HAND, [seed, i], side) for i in range(jobs)]
    return Labelled.join(parts)


def shrunk(images: np.ndarray, side: int) -> np.ndarray:
    """`(n, 64, 64)` to `(n, side, side)` by means of squares of pixels."""
    step = images.shape[-1] // side
    return images.reshape(len(images), side, step, side, step).mean(axis=(2, 4))
