"""Jobs that hold nothing but junk, as RELION classifies them: what does the shipped model keep?

`cryofed simulate jobs --junk-share 1 --out DIR` makes them: noise, gold, ice, carbon, neighbours, parts of
molecules, clumps and unfolded chains, classified by RELION itself. No particle in them is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryofed.errors import InputError
from cryofed.jobs.opening import open_job
from cryofed.scoring.scorer import score_job
from cryofed.selection.policy import decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept of one job: classes with a score, those kept, the best score, and the doubt."""

    name: str
    classes: int
    kept: int
    best: float
    doubt: float


def kept(folder: Path) -> list[Kept]:
    """Every job in `folder`, by the shipped model and the default policy.

    Raises:
        InputError: there is none.
    """
    jobs = sorted(folder.glob("**/Class2D/job*"))
    if not jobs:
        remedy = "make some: cryofed simulate jobs --junk-share 1 --out DIR"
        raise InputError(folder, "--jobs", "no Class2D job", remedy)
    return [_kept(path, path.relative_to(folder).parents[1].as_posix()) for path in jobs]


def table(jobs: list[Kept]) -> str:
    """One row a job, the worst first."""
    lines = [
        "| job of nothing but junk | classes | kept | best score | doubt |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {one.name} | {one.classes} | {one.kept} | {one.best:.2f} | {one.doubt:.2f} |"
            for one in sorted(jobs, key=lambda one: (-one.kept, -one.best))
        ),
        "",
        f"Nothing is kept in {sum(not one.kept for one in jobs)} of {len(jobs)} jobs; "
        f"{sum(one.kept for one in jobs)} of {sum(one.classes for one in jobs)} classes are kept.",
    ]
    return "\n".join(lines)


def _kept(path: Path, name: str) -> Kept:
    job = open_job(path)
    scores = score_job(job)
    selection = decide(job, scores)
    return Kept(
        name=name,
        classes=int(selection.scored.sum()),
        kept=int(selection.kept.sum()),
        best=float(np.nanmax(selection.score)) if selection.scored.any() else 0.0,
        doubt=scores.doubt,
    )
