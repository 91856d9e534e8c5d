"""Simulated jobs as labelled averages, kept in shards on disk so that training need not simulate again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from cryofed.disk.whole import replace_whole
from cryofed.errors import TrainingError
from cryofed.library.labelled import Labelled
from cryofed.library.pictures import wide
from cryofed.scoring.features import features
from cryofed.scoring.scorer import scorable
from cryofed.simulation.classes.truth import SimulatedJob
from cryofed.simulation.corpus import corpus

SHARD = 50  # jobs in one file


def labelled(simulated: SimulatedJob, number: int = 0) -> Labelled:
    """A simulated job's scorable classes; each job has its own molecules and is its own project.

    The images are `(n, 96, 96)`: the middle 64 pixels are the average at crop 1, and the rest lets training
    choose other crops.
    """
    job, truth = simulated.job, simulated.truth
    usable = scorable(job)
    which = np.full(int(usable.sum()), number)
    return Labelled(
        images=wide(job)[usable],
        features=features(job)[usable],
        target=truth.quality[usable].astype(np.float32),
        good=truth.good[usable],
        reason=truth.reason[usable],
        job=which,
        project=which,
    )


def make_shards(
    folder: Path, jobs: int, seed: int, workers: int = 1, *, start: int = 0, structures: Path | None = None
) -> Iterator[int]:
    """Write jobs `start` … `jobs - 1` of the corpus of `seed` into `folder`; yields jobs done, by shard.

    Shards that are there already are kept: a run that was stopped goes on where it ended.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(start, jobs, SHARD):
        path = _shard(folder, seed, first)
        count = min(SHARD, jobs - first)
        if not path.is_file():
            simulated = corpus(count, seed, workers, start=first, structures=structures)
            _write(path, Labelled.join([labelled(job) for job in simulated]))
        yield first + count


def read_shards(folder: Path, jobs: int, seed: int) -> Labelled:
    """What `make_shards` wrote."""
    return Labelled.join([_read(_shard(folder, seed, first)) for first in range(0, jobs, SHARD)])


def gather(jobs: Iterable[SimulatedJob]) -> Labelled:
    """Simulated jobs as one set, in memory."""
    return Labelled.join([labelled(job) for job in jobs])


def _shard(folder: Path, seed: int, first: int) -> Path:
    return folder / f"seed{seed}-jobs{first:05d}.npz"


def _write(path: Path, part: Labelled) -> None:
    arrays = {name: getattr(part, name) for name in Labelled.__slots__}

    def fill(unfinished: Path) -> None:
        with unfinished.open("wb") as file:  # of a path, NumPy would change the name
            np.savez(file, **arrays)

    replace_whole(path, fill)


def _read(path: Path) -> Labelled:
    if not path.is_file():
        raise TrainingError(f"{path}: no such shard; make the corpus first")
    with np.load(path, allow_pickle=False) as arrays:
        return Labelled(**{name: arrays[name] for name in Labelled.__slots__})
