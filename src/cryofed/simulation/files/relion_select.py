"""Write what an expert's Select job leaves in a RELION project, and the project's pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryofed.simulation.classes.habits import Labels
from cryofed.simulation.classes.truth import SimulatedJob
from cryofed.simulation.files.relion import ITERATION, class_columns, job_star
from cryofed.simulation.files.star_text import VERSION, loop, pairs


def write_select(project: Path, name: str, class2d: str, simulated: SimulatedJob, labels: Labels) -> None:
    """`project/name` (such as `Select/job004`) of the classification `class2d`, as the expert kept it."""
    folder = project / name
    folder.mkdir(parents=True)
    root = f"{class2d}/run_it{ITERATION:03d}"
    shown = labels.values if labels.habit.scale == "colours" else labels.kept.astype(np.int64)
    selected = shown > 0
    backup = "".join(f"{value:12d} \n" for value in shown)
    (folder / "backup_selection.star").write_text(
        f"\n{VERSION}\n\ndata_\n\nloop_ \n_rlnSelected #1 \n{backup} \n"
    )
    columns = class_columns(root, simulated)
    kept = {key: np.asarray(values)[selected] for key, values in columns.items()}
    (folder / "class_averages.star").write_text(loop("", {k: kept[k] for k in list(kept)[:5]}))
    (folder / "particles.star").write_text(_kept_rows(project / f"{root}_data.star", selected))
    options = {
        "do_class_ranker": "No", "do_discard": "No", "do_filaments": "No", "do_recenter": "No",
        "do_regroup": "No", "do_remove_duplicates": "No", "do_select_values": "No", "do_split": "No",
        "fn_data": "", "fn_mic": "", "fn_model": f"{root}_optimiser.star", "nr_groups": "1",
    }  # fmt: skip
    (folder / "job.star").write_text(job_star("relion.select.interactive", options))
    if labels.habit.scale == "colours":
        (folder / "job_score.txt").write_text(f"{labels.job_score}\n")
    if labels.habit.scale == "grades":
        grades = "".join(f"{i}\t{grade}\n" for i, grade in enumerate(labels.values, start=1))
        (folder / "grades.tsv").write_text("class_number\tgrade\n" + grades)
    (folder / "RELION_JOB_EXIT_SUCCESS").touch()


def _kept_rows(data: Path, selected: np.ndarray) -> str:
    """The data file with the rows of selected classes only."""
    kept, column = [], -1
    numbers = {str(i) for i in np.flatnonzero(selected) + 1}
    in_rows = False
    for line in data.read_text().splitlines(keepends=True):
        if line.startswith("data_"):
            in_rows, column = line.startswith("data_particles"), -1
        if line.startswith("_rlnClassNumber"):
            column = int(line.split("#")[1]) - 1
        fields = line.split() if in_rows else []
        if len(fields) > 5 and fields[column] not in numbers:
            continue
        kept.append(line)
    return "".join(kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A job of the pipeline: its folder, type, and the files that go in and come out with their types."""

    name: str
    label: str
    inputs: Sequence[str]
    outputs: Sequence[tuple[str, str]]


def class2d_step(name: str, particles: str) -> Step:
    """The pipeline's entry of a 2D classification."""
    root = f"{name}/run_it{ITERATION:03d}"
    outputs = [
        (f"{root}_data.star", "ParticlesData.star.relion.class2d"),
        (f"{root}_optimiser.star", "OptimiserData.star.relion.class2d"),
    ]
    return Step(name=name, label="relion.class2d", inputs=[particles], outputs=outputs)


def select_step(name: str, class2d: str) -> Step:
    """The pipeline's entry of a selection."""
    outputs = [
        (f"{name}/particles.star", "ParticlesData.star.relion"),
        (f"{name}/class_averages.star", "ImagesData.star.relion.classaverages"),
    ]
    inputs = [f"{class2d}/run_it{ITERATION:03d}_optimiser.star"]
    return Step(name=name, label="relion.select.interactive", inputs=inputs, outputs=outputs)


def pipeline(steps: Sequence[Step], first: tuple[str, str]) -> str:
    """`default_pipeline.star` of these jobs; `first` is the file that all starts from, and its type."""
    outputs = [(step.name, *output) for step in steps for output in step.outputs]
    inputs = [(name, step.name) for step in steps for name in step.inputs]
    return (
        pairs("pipeline_general", {"PipeLineJobCounter": len(steps) + 10})
        + loop("pipeline_processes", {
            "PipeLineProcessName": [f"{s.name}/" for s in steps],
            "PipeLineProcessAlias": ["None"] * len(steps),
            "PipeLineProcessTypeLabel": [s.label for s in steps],
            "PipeLineProcessStatusLabel": ["Succeeded"] * len(steps),
        })
        + loop("pipeline_nodes", {
            "PipeLineNodeName": [first[0], *(o[1] for o in outputs)],
            "PipeLineNodeTypeLabel": [first[1], *(o[2] for o in outputs)],
        })
        + loop("pipeline_input_edges", {
            "PipeLineEdgeFromNode": [i[0] for i in inputs],
            "PipeLineEdgeProcess": [f"{i[1]}/" for i in inputs],
        })
        + loop("pipeline_output_edges", {
            "PipeLineEdgeProcess": [f"{o[0]}/" for o in outputs],
            "PipeLineEdgeToNode": [o[1] for o in outputs],
        })
    )  # fmt: skip
