"""CryoFed's own model under the protocol: trained once for each molecule left out, judged on that molecule.

Every training begins at the weights that the release of 2026-11-26 shipped, which saw simulation alone, and
goes on with a mixture of simulated averages, RELION's own classifications of simulated particles, and real
averages of the other molecules. A model is the mean of the weights of several seeds (Wortsman 2022, model
soups): they begin at one point. What has been trained is kept, and a run that was stopped goes on.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.judging.sets import LabelledJob, relion_jobs
from benchmarks.real.sets import RealSet
from cryofed.jobs.job import ClassJob
from cryofed.jobs.opening import open_job
from cryofed.learning.calibrate import Answered, answers, fit_calibration
from cryofed.learning.corpus import make_shards, read_shards
from cryofed.learning.mixture import Mixture, Part
from cryofed.learning.release import ReleaseSettings, train_release
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.library.pictures import wide
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.features import FEATURES, features
from cryofed.scoring.scorer import scorable

SEEDS = (1, 2, 3)
SIMULATED = (550, 301)  # jobs, seed of the corpus
GOOD, BAD = 0.92, 0.04  # what an expert's yes and no are worth beside graded targets
SHARES = {"real": 0.44, "relion": 0.19, "simulated": 0.37}
SETTINGS = ReleaseSettings(steps=1600, learning_rate=7e-4, memory=0.996, feature_dropout=0.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What one training never sees: all real sets of some molecules, and RELION's jobs of some structures."""

    molecules: tuple[str, ...]
    structures: tuple[str, ...] = ()  # of relion_training; kin of the molecules, or of jobs in relion_jobs


# Small molecules share a training: leaving out two is harder than leaving out one. RELION's judging jobs are
# shared out so that none is judged by a model that saw a job of the same molecule.
FOLDS: Mapping[str, Fold] = {
    "trpv1": Fold(molecules=("TRPV1",), structures=("1igt", "1igy", "1lnl")),
    "bgal": Fold(molecules=("β-galactosidase",), structures=("emd_2479", "polnet_6utj_5a", "6utj", "3j9i")),
    "ribosome": Fold(molecules=("ribosome",), structures=("polnet_6qzp", "polnet_6pxm", "1xnr")),
    "10880": Fold(molecules=("empiar10880", "cryosift20")),
    "stain": Fold(molecules=("Nup82 complex", "Pom152")),
    "all": Fold(molecules=()),  # judges the sets that are never trained on
}


def fold_of(molecule: str) -> str:
    """The fold whose training never saw a molecule."""
    return next((name for name, fold in FOLDS.items() if molecule in fold.molecules), "all")


def fold_of_structures(structures: Sequence[str]) -> str:
    """The same for a RELION job of some structures."""
    return next((name for name, fold in FOLDS.items() if set(fold.structures) & set(structures)), "all")


@dataclass(frozen=True, slots=True)
class Bench:
    """What the trainings read, and where they keep what they gave."""

    sets: Sequence[RealSet]
    data: Path  # the development data, with relion_training and relion_jobs
    begin: Vector
    kept: Path

    def mixture(self, fold: Fold, *, real: bool = True) -> Mixture:
        """Everything but what the fold leaves out; `real`: with real averages at all."""
        simulated = _simulated(self.kept / "shards")
        relion = [job for structures, job in _relion(self.data) if not set(structures) & set(fold.structures)]
        shown = [_real(one) for one in self.sets if one.training and one.molecule not in fold.molecules]
        parts = [Part(labelled=_number(relion), share=SHARES["relion"])]
        parts.append(Part(labelled=simulated, share=SHARES["simulated"], by_job=False))
        if real:
            parts.append(Part(labelled=_number(shown), share=SHARES["real"]))
        return Mixture.of(parts)

    def vector(self, fold: str, seed: int, say: Callable[[int, float], None] | None = None) -> Vector:
        """The weights of one training, from the kept file where there is one."""
        path = self.kept / f"{fold}-{seed}.npy"
        if path.is_file():
            return np.asarray(np.load(path), np.float32)
        known = fold != "start"
        mixture = self.mixture(FOLDS[fold] if known else Fold(molecules=()), real=known)
        settings = replace(SETTINGS, seed=seed)
        vector = train_release(mixture, settings, path.with_suffix(".checkpoint"), say, self.begin)
        np.save(path, vector)
        return vector

    def soup(self, fold: str, seeds: Sequence[int] = SEEDS) -> Vector:
        """The mean of the weights of some seeds."""
        return np.mean([self.vector(fold, seed) for seed in seeds], axis=0, dtype=np.float64).astype("f4")


def left_out_logits(
    bench: Bench, seeds: Sequence[int] = SEEDS
) -> Iterator[tuple[str, str, NDArray[np.float64], NDArray[np.bool_]]]:
    """Of every real set and every judging RELION job: kind, name, `(n,)` logits, `(n,)` which are counted.

    Each from a model that never saw its molecule. NaN where a class cannot be scored.
    """
    models = cache(lambda fold: bench.soup(fold, seeds))
    for one in bench.sets:
        yield "real", one.name, logits_of(models(fold_of(one.molecule)), one.job), one.counted
    for structures, job in judged_relion(bench.data):
        model = models(fold_of_structures(structures))
        yield "relion", job.job.path.name, logits_of(model, job.job), job.counted


def logits_of(vector: Vector, job: ClassJob) -> NDArray[np.float64]:
    """`(n,)` logits over the scorer's views, NaN where a class cannot be scored."""
    usable = scorable(job)
    result = np.full(len(usable), np.nan)
    if usable.any():
        (answered,) = answers(vector, of_job(job, usable, usable))
        result[usable] = answered.logits
    return result


def fitted(bench: Bench, seeds: Sequence[int] = SEEDS) -> Calibration:
    """Slope and offset over all left-out real sets and RELION jobs, each by the root of its classes."""
    good = {one.name: one.good for one in bench.sets}
    good |= {job.job.path.name: job.good for _, job in judged_relion(bench.data)}
    told = []
    for _, name, logits, counted in left_out_logits(bench, seeds):
        which = counted & np.isfinite(logits)
        if which.any():
            told.append(Answered(logits[which], good[name][which]))
    return fit_calibration(told)


def judged_relion(data: Path) -> Iterator[tuple[tuple[str, ...], LabelledJob]]:
    """The judging RELION jobs and the structures in them."""
    for job in relion_jobs(data):
        yield _structures(job.job.path), job


def of_job(job: ClassJob, good: NDArray[np.bool_], counted: NDArray[np.bool_]) -> Labelled:
    """The counted classes of a job as labelled averages."""
    n, zero = int(counted.sum()), np.zeros(int(counted.sum()), np.int64)
    return Labelled(
        images=wide(job)[counted],
        features=features(job)[counted],
        target=np.where(good[counted], GOOD, BAD).astype(np.float32),
        good=good[counted],
        reason=np.full(n, -1, np.int8),
        job=zero,
        project=zero,
    )


@cache
def _simulated(folder: Path) -> Labelled:
    jobs, seed = SIMULATED
    for done in make_shards(folder, jobs, seed, 2):
        print(f"simulated {done} of {jobs} jobs", flush=True)
    made = read_shards(folder, jobs, seed)
    # Simulated averages have no program's grey scale: their contrast would teach the simulation's own.
    made.features[:, FEATURES.index("contrast_in_job")] = np.nan
    return made


@cache
def _relion(data: Path) -> tuple[tuple[tuple[str, ...], Labelled], ...]:
    return tuple(
        (_structures(folder), _relion_job(folder))
        for folder in sorted(p.parent for p in data.glob("relion_training/*/truth.tsv"))
    )


def _relion_job(folder: Path) -> Labelled:
    job = open_job(folder)
    with (folder / "truth.tsv").open(newline="") as lines:
        truth = {int(row["class"]): row for row in csv.DictReader(lines, delimiter="\t")}
    rows = [truth.get(int(number)) for number in job.classes.number]
    settled = np.array([row is not None and row["borderline"] == "0" for row in rows])
    good = np.array([row is not None and row["good"] == "1" for row in rows])
    return of_job(job, good, settled & scorable(job))


def _structures(folder: Path) -> tuple[str, ...]:
    told = json.loads((folder / "job.json").read_text())["spec"]["molecules"]
    return tuple(str(name).lower() for name in told)


def _real(one: RealSet) -> Labelled:
    return of_job(one.job, one.good, one.counted & scorable(one.job))


def _number(parts: Sequence[Labelled]) -> Labelled:
    return Labelled.join(list(parts))
