"""What the peers learn from: simulated averages, RELION's jobs, and real averages of other molecules."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.corpus import FEATURES, LEFT_OUT, Part, training_and_left_out
from benchmarks.real.folds import Fold
from benchmarks.real.recipe import BAD, GOOD, structures_of
from benchmarks.real.sets import RealSet
from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.jobs.opening import open_job
from cryofed.library.labelled import Labelled
from cryofed.library.pictures import as_job, wide
from cryofed.scoring.features import FEATURES as OURS
from cryofed.scoring.prepare import SIDE
from cryofed.scoring.scorer import scorable

REPEATED = 5  # times each real average and each of RELION's, beside the simulated ones


Relion = tuple[tuple[str, ...], Part]  # the structures in a job, and its classes


@dataclass(frozen=True, slots=True)
class Material:
    """Simulated rows to train on, and others to validate on; RELION's jobs; real sets by name."""

    training: Part
    left_out: Part
    relion: Sequence[Relion]
    real: Mapping[str, Part]

    def without(self, fold: Fold, sets: Sequence[RealSet]) -> Part:
        """All rows but those of what the fold leaves out; `sets` are those that may be trained on."""
        told = [part for structures, part in self.relion if not set(structures) & set(fold.structures)]
        shown = [self.real[of.name] for of in sets if of.molecule not in fold.molecules]
        return join([self.training, *(told + shown) * REPEATED])


def material(sets: Sequence[RealSet], jobs: int, shards: Path | None, data: Path) -> Material:
    """Simulated averages, RELION's jobs of the development data, and the real sets that may be trained on."""
    training, left_out = simulated(jobs, shards)
    return Material(
        training, left_out, relion_training(data), {of.name: real(of) for of in sets if of.training}
    )


def digest(of: Material) -> str:
    """A name for this material: other rows have another."""
    seen = hashlib.sha256()
    for part in (of.training, of.left_out, *(part for _, part in of.relion), *of.real.values()):
        seen.update(part.own.images.tobytes() + part.own.target.tobytes())
    return seen.hexdigest()[:12]


def simulated(jobs: int, shards: Path | None) -> tuple[Part, Part]:
    """Simulated averages to train on, and those of other molecules to validate on.

    `shards`: a folder of what `cryofed.learning.corpus.make_shards` wrote, of which the first `jobs` jobs are
    taken; without it the peers' own corpus is simulated and kept.
    """
    if shards is None:
        return training_and_left_out(jobs, print)
    whole = _of_shards(shards, jobs)
    number = np.unique(whole.own.job, return_inverse=True)[1]
    left_out = number >= round((1 - LEFT_OUT) * (number.max() + 1))
    return whole.take(~left_out), whole.take(left_out)


def relion_training(data: Path) -> list[Relion]:
    """RELION's own classifications of simulated particles that may be trained on, with graded truth."""
    folders = sorted(path.parent for path in data.glob("relion_training/*/truth.tsv"))
    if not folders:
        raise InputError(
            data / "relion_training", "folder", "no job with truth.tsv", "give the development data"
        )
    return [(structures_of(folder), _relion(folder)) for folder in folders]


def real(of: RealSet) -> Part:
    """The counted classes of a real set."""
    return part_of(of.job, np.where(of.good, GOOD, BAD), of.good, of.counted)


def part_of(
    job: ClassJob, target: NDArray[np.floating], good: NDArray[np.bool_], counted: NDArray[np.bool_]
) -> Part:
    """The counted classes of one job with every peer's features; features see all classes of the job."""
    which = counted & scorable(job)
    n = int(which.sum())
    own = Labelled(
        images=wide(job)[which],
        features=_unread(n),
        target=np.asarray(target, np.float32)[which],
        good=good[which],
        reason=np.full(n, -1, np.int8),
        job=np.zeros(n, np.int64),
        project=np.zeros(n, np.int64),
    )
    return Part(own, {name: measure(job)[which] for name, measure in FEATURES.items()})


def join(parts: Sequence[Part]) -> Part:
    """Several parts as one; jobs of different parts stay different."""
    own = Labelled.join([part.own for part in parts])
    return Part(own, {name: np.concatenate([part.tables[name] for part in parts]) for name in FEATURES})


def _relion(folder: Path) -> Part:
    job = open_job(folder)
    with (folder / "truth.tsv").open(newline="") as lines:
        truth = {int(row["class"]): row for row in csv.DictReader(lines, delimiter="\t")}
    rows = [truth.get(int(number)) for number in job.classes.number]
    return part_of(
        job,
        np.array([float(row["quality"]) if row else 0.0 for row in rows]),
        np.array([row is not None and row["good"] == "1" for row in rows]),
        np.array([row is not None for row in rows]),
    )


def _unread(n: int) -> NDArray[np.float32]:
    """Our own network's features, which no peer reads."""
    return np.full((n, len(OURS)), np.nan, np.float32)


def _of_shards(folder: Path, jobs: int) -> Part:
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise InputError(folder, "--shards", "no .npz", "give a folder that make_shards wrote")
    parts: list[Part] = []
    for part in (one for path in paths for one in _jobs(path)):
        if len(parts) == jobs:
            break
        parts.append(part)
    return join(parts)


def _jobs(path: Path) -> Iterator[Part]:
    """Each job of a shard; features are measured on the kept pictures, and its table is unknown."""
    with np.load(path, allow_pickle=False) as arrays:
        whole = Labelled(**{name: arrays[name] for name in Labelled.__slots__})
    for number in np.unique(whole.job):
        own = whole.take(whole.job == number)
        # The kept picture's mask has a radius of half of SIDE: any diameter that says so will do.
        job = as_job(ClassTable.unknown(len(own)), float(SIDE), own.images.astype(np.float16))
        zero = np.zeros(len(own), np.int64)
        plain = replace(own, features=_unread(len(own)), job=zero, project=zero)
        yield Part(plain, {name: measure(job) for name, measure in FEATURES.items()})
