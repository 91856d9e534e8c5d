"""What our own trainings read: averages of five kinds, and the share of each in every batch."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.real.folds import Fold
from benchmarks.real.sets import RealSet
from cryofed.jobs.job import ClassJob
from cryofed.jobs.opening import open_job
from cryofed.learning.corpus import make_shards, read_shards
from cryofed.learning.mixture import Mixture, Part
from cryofed.learning.release import ReleaseSettings
from cryofed.learning.spoilt import spoilt
from cryofed.library.labelled import Labelled
from cryofed.library.pictures import wide
from cryofed.scoring.features import FEATURES, features
from cryofed.scoring.scorer import scorable
from cryofed.simulation.classify import JOB, Run, classify

SIMULATED = (550, 301)  # jobs, seed of the corpus
GOOD, BAD = 0.92, 0.04  # what an expert's yes and no are worth beside graded targets
SHARES = {"real": 0.44, "relion": 0.19, "simulated": 0.37, "spoilt": 0.16, "junk": 0.2}  # beside each other
SPOILT, SPOILT_SEED = 3, 100  # pictures made of each good one, and the seed of the first set's
JUNK_SEEDS, JUNK_JOBS = (21, 22, 25, 26, 27), 6  # jobs of nothing but junk: seeds, and how many of each
JUNK = Run(particles=300, classes=8, iterations=12, junk_share=1.0)
SETTINGS = ReleaseSettings(steps=1600, learning_rate=7e-4, memory=0.996, feature_dropout=0.4)


def mixture(sets: Sequence[RealSet], data: Path, made: Path, fold: Fold, *, real: bool = True) -> Mixture:
    """Everything but what the fold leaves out.

    `data` holds RELION's jobs with truth; `made` keeps what is simulated here. `real`: with all five kinds;
    without, simulated averages and RELION's jobs alone.

    Raises:
        InputError: RELION is absent, and its jobs of junk have not been made before.
    """
    relion = [job for structures, job in _relion(data) if not set(structures) & set(fold.structures)]
    parts = [Part(labelled=Labelled.join(relion), share=SHARES["relion"])]
    parts.append(Part(labelled=_simulated(made / "shards"), share=SHARES["simulated"], by_job=False))
    if real:
        shown = [_real(one) for one in sets if one.training and one.molecule not in fold.molecules]
        parts.append(Part(labelled=Labelled.join(shown), share=SHARES["real"]))
        bad = [spoilt(one, SPOILT, BAD, SPOILT_SEED + at) for at, one in enumerate(shown) if one.good.any()]
        parts.append(Part(labelled=Labelled.join(bad), share=SHARES["spoilt"]))
        parts.append(Part(labelled=Labelled.join(_junk(made / "junk")), share=SHARES["junk"]))
    return Mixture.of(parts)


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


def structures_of(folder: Path) -> tuple[str, ...]:
    """The structures whose particles one of the development data's RELION jobs holds."""
    told = json.loads((folder / "job.json").read_text())["spec"]["molecules"]
    return tuple(str(name).lower() for name in told)


def junk_job(out: Path, number: int, seed: int) -> Path:
    """RELION's classification of nothing but junk, the one in `out/project-<number>` where it is whole."""
    project = out / f"project-{number}"
    if (project / JOB / "truth.tsv").is_file():  # it is written last
        return project / JOB
    shutil.rmtree(project, ignore_errors=True)  # what a stopped run left
    print(f"RELION classifies junk: {project}", flush=True)
    return classify(out, number, seed, JUNK)


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
def _junk(folder: Path) -> tuple[Labelled, ...]:
    """RELION's classifications of particles none of which is true: every class is bad."""
    jobs = (
        open_job(junk_job(folder / f"seed-{seed}", number, seed))
        for seed in JUNK_SEEDS
        for number in range(1, JUNK_JOBS + 1)
    )
    labelled = (of_job(job, np.zeros(len(job.classes), bool), scorable(job)) for job in jobs)
    return tuple(one for one in labelled if len(one))


@cache
def _relion(data: Path) -> tuple[tuple[tuple[str, ...], Labelled], ...]:
    return tuple(
        (structures_of(folder), _relion_job(folder))
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


def _real(one: RealSet) -> Labelled:
    return of_job(one.job, one.good, one.counted & scorable(one.job))
