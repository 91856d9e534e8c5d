"""Simulated jobs with every peer's features beside our own averages, kept in shards on disk."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.baselines import cryosift_features, relion_features, simple_features
from cryofed.jobs.job import ClassJob
from cryofed.learning.corpus import labelled
from cryofed.library.labelled import Labelled
from cryofed.scoring.scorer import scorable
from cryofed.simulation.corpus import corpus, corpus_job

ROOT = Path(__file__).parents[2]
SEED = 201  # a corpus of its own: its molecules are in no other
PEER_JOBS = int(os.environ.get("CRYOFED_PEER_JOBS", "700"))  # of which 12 % only validate
SHARD = 50  # jobs in one file
LEFT_OUT = 0.12  # share of the jobs, of other molecules, that only validate and calibrate
FEATURES: dict[str, Callable[[ClassJob], NDArray[np.float32]]] = {
    "relion": relion_features,
    "cryosift": cryosift_features,
    "simple": simple_features,
}


@dataclass(frozen=True, slots=True)
class Part:
    """Labelled averages, and each peer's features of them."""

    own: Labelled
    tables: dict[str, NDArray[np.float32]]

    def take(self, which: NDArray[np.bool_]) -> Part:
        """The chosen rows."""
        return Part(self.own.take(which), {name: table[which] for name, table in self.tables.items()})


@functools.cache
def cache() -> Path:
    """Folder of what this simulation made; one that gives other bits has another folder."""
    digest = hashlib.sha256()
    for simulated in (corpus_job(SEED, number) for number in range(3)):
        digest.update(simulated.job.averages.tobytes() + simulated.truth.quality.tobytes())
    root = Path(os.environ.get("CRYOFED_BENCH_CACHE", ROOT / "build"))
    return root / "bench-selection" / digest.hexdigest()[:8]


def training_and_left_out(jobs: int, say: Callable[[str], None]) -> tuple[Part, Part]:
    """The first jobs to train on, the last to validate on: no molecule is in both."""
    parts = [_shard(cache(), first, min(SHARD, jobs - first), say) for first in range(0, jobs, SHARD)]
    own = Labelled.join([part.own for part in parts])
    tables = {name: np.concatenate([part.tables[name] for part in parts]) for name in FEATURES}
    whole, number = Part(own, tables), np.unique(own.job, return_inverse=True)[1]
    left_out = number >= round((1 - LEFT_OUT) * (number.max() + 1))
    return whole.take(~left_out), whole.take(left_out)


def _shard(folder: Path, first: int, count: int, say: Callable[[str], None]) -> Part:
    path = folder / f"corpus-{SEED}-{first:05d}-{count}.npz"
    if not path.is_file():
        say(f"simulating jobs {first} to {first + count - 1}")
        _write(path, first, count)
    with np.load(path) as read:
        own = Labelled(**{name: read[f"own_{name}"] for name in Labelled.__slots__})
        return Part(own, {name: read[name] for name in FEATURES})


def _write(path: Path, first: int, count: int) -> None:
    own, tables = [], {name: [] for name in FEATURES}
    for number, simulated in enumerate(corpus(count, SEED, start=first), start=first):
        usable = scorable(simulated.job)
        own.append(labelled(simulated, number))
        for name, read in FEATURES.items():
            tables[name].append(read(simulated.job)[usable])
    joined = Labelled.join(own)
    columns = {f"own_{name}": getattr(joined, name) for name in Labelled.__slots__}
    columns |= {name: np.concatenate(parts) for name, parts in tables.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp.npz")
    np.savez(unfinished, **columns)
    unfinished.rename(path)
