"""The demo's world: labs with their own molecules and habits, and jobs of a lab that takes no part."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryofed.jobs.opening import open_job
from cryofed.library.harvest.importing import harvest
from cryofed.library.harvest.walk import find
from cryofed.library.labelled import Labelled
from cryofed.library.pictures import wide
from cryofed.library.store import Library
from cryofed.scoring.features import features
from cryofed.scoring.reasons import UNKNOWN
from cryofed.scoring.scorer import scorable
from cryofed.simulation.sites import write_sites

Tell = Callable[[str, float], None]  # what goes on, and the share of the whole that is done


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where everything lies, and what every model is measured on."""

    libraries: Mapping[str, Path]  # site: its library
    examples: Mapping[str, int]  # site: labelled averages, held-out projects included
    unseen_jobs: tuple[Path, ...]  # Class2D folders of molecules that no site has
    unseen: Labelled  # the same as arrays, labelled by the simulation's truth


def build_world(
    out: Path, *, sites: int, projects: int, unseen: int, seed: int, workers: int, tell: Tell
) -> World:
    """Simulate labs in `out`, each with its own kinds of molecules, and harvest their past selections."""
    tell("labs classify their particles (simulation)", 0.0)
    folders = write_sites(
        out / "labs", sites, projects, seed, jobs_per_project=1, own_kinds=True, workers=workers
    )
    tell("other labs do, too", 0.1)
    # Labs of another seed: other molecules, cameras and habits.
    others = write_sites(
        out / "other-labs", 3, -(-unseen // 3), seed + 1000, jobs_per_project=1, workers=workers
    )
    jobs = tuple(sorted(path.parent for other in others for path in other.glob("*/Class2D/*/truth.tsv")))[
        :unseen
    ]
    tell("every site harvests its own past selections", 0.17)
    libraries, examples = {}, {}
    for folder in folders:
        path = out / "libraries" / f"{folder.name}.db"
        path.parent.mkdir(exist_ok=True)
        with Library(path, create=True) as library:
            for _ in harvest(find([folder]), library):
                pass
            examples[folder.name] = len(library.labelled())
        libraries[folder.name] = path
    return World(
        libraries=libraries,
        examples=examples,
        unseen_jobs=jobs,
        unseen=Labelled.join([with_truth(job) for job in jobs]),
    )


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def with_truth(folder: Path) -> Labelled:
    """A simulated job's scorable classes, labelled by its `truth.tsv`; borderline ones are left out."""
    job = open_job(folder)
    with (folder / "truth.tsv").open(newline="", encoding="utf-8") as file:
        truth = {int(row["class"]): row for row in csv.DictReader(file, delimiter="\t")}
    rows = [truth[int(number)] for number in job.classes.number]
    clear = np.array([row["borderline"] != "1" for row in rows])
    usable = scorable(job) & clear
    n = int(usable.sum())
    return Labelled(
        images=wide(job)[usable],
        features=features(job)[usable],
        target=np.array([float(row["quality"]) for row in rows], np.float32)[usable],
        good=np.array([row["good"] == "1" for row in rows])[usable],
        reason=np.full(n, UNKNOWN, np.int8),
        job=np.zeros(n, np.int64),
        project=np.zeros(n, np.int64),
    )
