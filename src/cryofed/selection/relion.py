"""A selection as the six files that RELION's own class ranker writes, so that RELION continues from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cryofed.errors import InputError
from cryofed.jobs import star
from cryofed.jobs.job import ClassJob
from cryofed.jobs.relion import class_rows, project_folder
from cryofed.jobs.row_copies import write_particles
from cryofed.jobs.rows import read_particles
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


def write(job: ClassJob, selection: Selection, folder: Path, final: Path) -> None:
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
    selected = selection.kept if selection.group is None else selection.group
    _write(folder / "backup_selection.star", "", {"rlnSelected": [str(int(value)) for value in selected]})
    particles = job.particle_rows or read_particles(job.files["data"])
    write_particles(particles, folder / "rank_data.star", np.unique(particles.classes).tolist())
    write_particles(particles, folder / "particles.star", job.classes.number[selection.kept].tolist())
    _write_optimiser(job, folder / "rank_optimiser.star", final)


def next_steps(job: ClassJob, final: Path) -> list[tuple[str, str]]:
    """RELION's jobs that take the files; paths are seen from the project, as its windows want them."""
    place = final.absolute().as_posix()
    if "optimiser" in job.files:
        source = job.files["optimiser"]
        written = star.need_value(source, star.need_block(source, "optimiser_general"), "rlnModelStarFile")
        place = _as_relion_writes(job, final, written)
    return [
        ("Input particles of the next job, for instance 3D initial model", f"{place}/particles.star"),
        (
            "To change it in RELION's own display: job Subset selection, Select classes from job",
            f"{place}/rank_optimiser.star",
        ),
    ]


def _write_optimiser(job: ClassJob, target: Path, final: Path) -> None:
    """The input's table with only the names of model and data changed; what is written is read back."""
    source = job.files["optimiser"]
    written = star.need_block(source, "optimiser_general")
    place = _as_relion_writes(job, final, star.need_value(source, written, "rlnModelStarFile"))
    names = {
        "rlnModelStarFile": f"{place}/rank_model.star",
        "rlnExperimentalDataStarFile": f"{place}/rank_data.star",
    }
    with source.open("rb") as file, target.open("wb") as out:
        for line in star.lines(source, file):
            named = star.label(line) if line.kind == "pair" and line.block == b"optimiser_general" else ""
            if named in names:
                out.write(star.as_bytes(f"_{named:<50} {star.quoted(names[named])}\n"))
            else:
                out.write(star.clean(line))
    general = star.need_block(target, "optimiser_general")
    for column, name in names.items():
        if star.need_value(target, general, column) != name:
            raise InputError(source, f"_{column}", "not a list that can be changed", star.OTHER)


def _as_relion_writes(job: ClassJob, final: Path, model: str) -> str:
    """The folder of the selection, from the project's folder where it lies in the project."""
    project = project_folder(dict(job.files), model)
    absolute = final.absolute()
    if project is not None and absolute.is_relative_to(project):
        return absolute.relative_to(project).as_posix()
    return absolute.as_posix()


def _write(path: Path, name: str, columns: Mapping[str, Sequence[str]]) -> None:
    path.write_bytes(star.as_bytes(star.loop_text(name, columns)))
