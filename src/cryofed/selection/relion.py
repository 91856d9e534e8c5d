"""A selection as the six files that RELION's own class ranker writes, so that RELION continues from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shutil import copyfile

import numpy as np

from cryofed.errors import InputError
from cryofed.jobs import star
from cryofed.jobs.job import ClassJob
from cryofed.jobs.relion import class_rows, project_folder
from cryofed.selection.policy import Selection

FILES = (
    "rank_optimiser.star",
    "rank_model.star",
    "rank_data.star",
    "backup_selection.star",
    "class_averages.star",
    "particles.star",
)
NOT_SCORED = "-999.00000"  # as RELION marks a class that it did not rank
COMMON = ("rlnClassDistribution", "rlnAccuracyRotations", "rlnAccuracyTranslationsAngst")
RESOLUTION = "rlnEstimatedResolution"
ONLY_RANKED = ("rlnOverallFourierCompleteness", "rlnClassPriorOffsetX", "rlnClassPriorOffsetY")


def write_relion(job: ClassJob, selection: Selection, folder: Path, final: Path) -> None:
    """Write the six files into `folder`; they name each other as they will be called in `final`."""
    for role in ("data", "optimiser"):
        if role not in job.files:
            raise InputError(
                job.path,
                f"{role}.star",
                "no such file",
                f"copy the {role}.star of the iteration beside the others",
            )
    rows = class_rows(job.files["model"])
    score = [f"{s:.6f}" if np.isfinite(s) else NOT_SCORED for s in selection.score]
    ranked = {"rlnReferenceImage": rows["rlnReferenceImage"], "rlnClassScore": score}
    averages = {"rlnReferenceImage": rows["rlnReferenceImage"], "rlnPredictedClassScore": score}
    for column in (*COMMON, RESOLUTION, *ONLY_RANKED):
        if column in rows:
            ranked[column] = rows[column]
            if column not in ONLY_RANKED:
                averages[column] = rows[column]
    chosen = {
        c: [v for v, kept in zip(vs, selection.kept, strict=True) if kept] for c, vs in averages.items()
    }
    _write(folder / "rank_model.star", "model_classes", ranked)
    _write(folder / "class_averages.star", "", chosen)
    _write(folder / "backup_selection.star", "", {"rlnSelected": [str(int(kept)) for kept in selection.kept]})
    data = job.files["data"]
    copyfile(data, folder / "rank_data.star")
    keep = job.classes.number[selection.kept].tolist()
    particles = star.find_particles(data)
    star.filter_particles(particles, folder / "particles.star", keep, job.particle_classes)
    _write_optimiser(job, folder / "rank_optimiser.star", final)


def _write_optimiser(job: ClassJob, target: Path, final: Path) -> None:
    """The input's table with only the names of the model and the data changed."""
    source = job.files["optimiser"]
    text = source.read_bytes()
    written = star.need_block(source, "optimiser_general")
    place = _as_relion_writes(job, final, star.unquote(written["rlnModelStarFile"][0]))
    for column, name in (
        ("rlnModelStarFile", "rank_model.star"),
        ("rlnExperimentalDataStarFile", "rank_data.star"),
    ):
        value = f'"{place}/{name}"' if " " in place else f"{place}/{name}"
        line = re.compile(rb"^(_" + column.encode() + rb"\s+)(\"[^\"]*\"|'[^']*'|\S+)", re.MULTILINE)
        found = line.search(text)
        if found:
            text = text[: found.start(2)] + value.encode() + text[found.end(2) :]
    target.write_bytes(text)


def _as_relion_writes(job: ClassJob, final: Path, model: str) -> str:
    """The folder of the selection, from the project's folder where it lies in the project."""
    project = project_folder(dict(job.files), model)
    absolute = final.absolute()
    if project is not None and absolute.is_relative_to(project):
        return absolute.relative_to(project).as_posix()
    return absolute.as_posix()


def _write(path: Path, name: str, columns: Mapping[str, Sequence[str]]) -> None:
    """One loop, laid out as RELION lays it out."""
    head = ["", "# version 30001", "", f"data_{name}", "", "loop_ "]
    head += [f"_{column} #{i} " for i, column in enumerate(columns, 1)]
    rows: Iterable[tuple[str, ...]] = zip(*columns.values(), strict=True)
    lines = [" ".join(f"{value:>12}" for value in row) + " " for row in rows]
    path.write_text("\n".join([*head, *lines, " ", ""]))
