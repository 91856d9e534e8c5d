"""The classes of a selection as rows: for people, for programs, for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cryofed.jobs.job import ClassJob
from cryofed.selection.making import Making
from cryofed.selection.policy import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """One class as it is told; what is unknown is None."""

    class_number: int
    particles: int | None
    resolution_angstrom: float | None
    score: float | None
    kept: bool
    reason: str | None
    unsure: bool
    view: int | None


def class_rows(job: ClassJob, selection: Selection) -> Iterator[ClassRow]:
    """One row per class, in stack order."""
    table = job.classes
    for i in range(len(selection)):
        particles, resolution, score = table.particles[i], table.resolution_angstrom[i], selection.score[i]
        yield ClassRow(
            class_number=int(table.number[i]),
            particles=int(particles) if particles >= 0 else None,
            resolution_angstrom=round(float(resolution), 3) if np.isfinite(resolution) else None,
            score=round(float(score), 6) if np.isfinite(score) else None,
            kept=bool(selection.kept[i]),
            reason=reason_of(selection, i) or None,
            unsure=bool(selection.unsure[i]),
            view=int(selection.view[i]) or None,
        )


def reason_of(selection: Selection, index: int) -> str:
    """Why a class is not kept: what is surely known, else the cut. Empty for a class kept by its score."""
    known = selection.reason[index]
    return known if known or selection.kept[index] else f"below the cut {selection.cut:.2f}"


def as_json(
    job: ClassJob, selection: Selection, *, making: Making | None = None, folder: Path | None = None
) -> dict[str, Any]:
    """What `--json` prints: unknown numbers are null, never NaN. `folder` is None where none was written."""
    making = making or Making()
    model = making.model
    columns = (
        "class_number",
        "particles",
        "resolution_angstrom",
        "score",
        "kept",
        "reason",
        "unsure",
        "view",
    )
    classes = [{name: getattr(row, name) for name in columns} for row in class_rows(job, selection)]
    views_kept, views = selection.views
    return {
        "job": str(job.path),
        "read": job.read,
        "model": {"name": model.name, "sha256": model.sha256, "learnt": model.learnt} if model else None,
        "policy": selection.policy,
        "cut": selection.cut,
        "kept": kept(job, selection),
        "total": {"classes": len(selection), "particles": job.total_particles},
        "views": {"kept": views_kept, "all": views},
        "note": selection.note,
        "doubt": selection.doubt,
        "refused": making.refused,
        "folder": str(folder.absolute()) if folder else None,
        "classes": classes,
    }


def kept(job: ClassJob, selection: Selection) -> dict[str, int | None]:
    """How many classes and particles are kept; particles are None where there is no particle table."""
    particles = None
    if job.total_particles is not None:
        particles = int(job.classes.particles[selection.kept].sum())
    return {"classes": int(selection.kept.sum()), "particles": particles}


def summary(job: ClassJob, selection: Selection) -> str:
    """One line: classes and particles kept, in numbers and percent, the cut, and what looks lost."""
    parts = [_share("classes", int(selection.kept.sum()), len(selection))]
    particles = kept(job, selection)["particles"]
    if particles is not None and job.total_particles is not None:
        parts.append(_share("particles", particles, job.total_particles))
    return f"kept {', '.join(parts)}; cut {selection.cut:.2f} ({selection.policy}){lost_views(selection)}"


def lost_views(selection: Selection) -> str:
    """Told only where something is lost: that nothing is lost is no praise of what was kept."""
    found, views = selection.views
    lost = views - found
    return f"; groups that look alike without a kept class: {lost} of {views}" if lost else ""


def write_csv(job: ClassJob, selection: Selection, path: Path) -> None:
    """The classes as a CSV; unknown is empty, yes and no are 1 and 0."""
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(ClassRow.__slots__)
        for row in class_rows(job, selection):
            values = [getattr(row, name) for name in ClassRow.__slots__]
            out.writerow([int(v) if isinstance(v, bool) else v for v in values])


def _share(unit: str, part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} {unit} ({100 * part / whole if whole else 0:.0f} %)"
