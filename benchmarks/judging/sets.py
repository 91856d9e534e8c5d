"""The sets that a model is looked at on: real averages, RELION jobs with known truth, simulated hold-out."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.check import FEWEST_PARTICLES
from cryofed.jobs.job import ClassJob
from cryofed.jobs.opening import open_job
from cryofed.scoring.scorer import scorable

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledJob:
    """A job whose classes have labels. `counted` leaves out borderline, unlabelled and unscored classes."""

    group: str  # the set that it is reported with
    job: ClassJob
    good: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    particles: NDArray[np.float64]  # 1 where unknown
    purity: NDArray[np.float64]  # share of true particles
    view: NDArray[np.float64] | None = None  # (n, 3) directions of view, simulated jobs only
    molecule: NDArray[np.int64] | None = None  # which of the job's molecules, -1 none


def shared_data() -> Path | None:
    """The development data, which is not part of the project; None where it is absent."""
    places = [os.environ.get("CRYOFED_SHARED"), ROOT.parent / "shared", ROOT.parent.parent / "shared"]
    for place in places:
        if place and (Path(place) / "data" / "relion_jobs").is_dir():
            return Path(place) / "data"
    return None


def relion_jobs(data: Path) -> Iterator[LabelledJob]:
    """RELION's own classifications of simulated particles."""
    for folder in sorted(p.parent for p in data.glob("relion_jobs/*/truth.tsv")):
        job = open_job(folder)
        truth = {int(row["class"]): row for row in _rows(folder / "truth.tsv")}
        rows = [truth.get(int(number)) for number in job.classes.number]
        particles = np.array([float(row["n_particles"]) if row else 0.0 for row in rows])
        settled = np.array([row is not None and row["borderline"] == "0" for row in rows])
        yield LabelledJob(
            group="relion_jobs",
            job=job,
            good=np.array([row is not None and row["good"] == "1" for row in rows]),
            counted=settled & (particles >= FEWEST_PARTICLES) & scorable(job),
            particles=particles,
            purity=np.array([float(row["purity"]) if row else 0.0 for row in rows]),
        )


def class_averages(data: Path) -> Iterator[LabelledJob]:
    """Real class averages, images alone."""
    for path in sorted(data.glob("class_averages/*.mrcs")):
        job = open_job(path)
        labels = [row["label"] for row in _rows(path.with_suffix(".tsv"))]
        good = np.array([label == "1" for label in labels])
        n = len(labels)
        yield LabelledJob(
            group=path.stem,
            job=job,
            good=good,
            counted=np.array([label in {"0", "1"} for label in labels]) & scorable(job),
            particles=np.ones(n),
            purity=good.astype(float),
        )


def simulated_jobs(jobs: int, seed: int) -> Iterator[LabelledJob]:
    """Jobs of molecules that were never trained on; borderline classes left out."""
    from cryofed.simulation.corpus import corpus

    for simulated in corpus(jobs, seed, workers=2):
        job, truth = simulated.job, simulated.truth
        particles = job.classes.particles.astype(float)
        yield LabelledJob(
            group="simulated hold-out",
            job=job,
            good=truth.good,
            counted=scorable(job) & ~truth.borderline,
            particles=np.where(particles >= 0, particles, 1.0),
            purity=truth.purity,
            view=truth.view,
            molecule=truth.molecule,
        )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))
