"""The averages that the attacks are tried on: simulated jobs of all kinds, at the product's size."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from cryofed.learning.export import read_vector
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.scoring.features import features
from cryofed.scoring.prepare import prepare_job
from cryofed.scoring.scorer import SHIPPED, scorable
from cryofed.simulation.classes.job import simulate_job
from cryofed.simulation.molecules.shapes import KINDS, random_molecule
from cryofed.simulation.spec import random_spec

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("CRYOFED_BENCH_CACHE", ROOT / "build")) / "bench-attacks"
JOBS = 48


def averages(jobs: int = JOBS, first: int = 0) -> Labelled:
    """So many jobs from number `first` on; each is kept, so that several processes share the work."""
    (CACHE / "jobs").mkdir(parents=True, exist_ok=True)
    numbers = range(first, first + jobs)
    for number in np.random.default_rng(os.getpid()).permutation(numbers):
        path = CACHE / "jobs" / f"{number:02d}.npz"
        if not path.exists():
            made = _job(int(number))
            unfinished = path.with_suffix(f".{os.getpid()}.npz")
            np.savez(unfinished, **{name: getattr(made, name) for name in Labelled.__slots__})
            unfinished.replace(path)
    parts = []
    for number in numbers:
        with np.load(CACHE / "jobs" / f"{number:02d}.npz", allow_pickle=False) as known:
            parts.append(Labelled(**{name: known[name] for name in Labelled.__slots__}))
    return Labelled.join(parts)


def _job(number: int) -> Labelled:
    """One job of a molecule of its own, labelled by its truth, borderline classes left out."""
    rng = np.random.default_rng([14, number])
    molecule = random_molecule(rng, "molecule", str(rng.choice(list(KINDS))))
    spec = replace(random_spec(rng, "job", (molecule,), (48, 64)), negative_stain=False)
    made = simulate_job(spec, np.random.SeedSequence([14, number, 1]))
    usable = scorable(made.job) & ~made.truth.borderline
    n = int(usable.sum())
    return Labelled(
        images=prepare_job(made.job)[usable].astype(np.float16),
        features=features(made.job)[usable],
        target=made.truth.good[usable].astype(np.float32),
        good=made.truth.good[usable],
        reason=np.where(made.truth.good[usable], -1, made.truth.reason[usable]).astype(np.int8),
        job=np.zeros(n, np.int64),
        project=np.zeros(n, np.int64),
    )


def shipped() -> Vector:
    """The model that comes with CryoFed: what a federation begins with."""
    return read_vector(SHIPPED.parent / "weights.safetensors")


def halves(labelled: Labelled, seed: int) -> np.ndarray:
    """Whether each average belongs to a member job: half of the jobs, drawn anew for each seed."""
    jobs = np.unique(labelled.job)
    members = np.random.default_rng([seed, 14]).permutation(jobs)[: len(jobs) // 2]
    return np.isin(labelled.job, members)
