"""Write a simulated job as CryoSPARC 4 leaves it: folders of a 2D Classification and of a Select 2D."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryofed.simulation.classes.habits import Labels
from cryofed.simulation.classes.truth import SimulatedJob
from cryofed.simulation.files.relion import truth_table
from cryofed.simulation.files.stack import write_stack
from cryofed.simulation.particles.table import MICROGRAPH_PX, Particles
from cryofed.simulation.spec import Spec

ITERATION = 20
TEXT = "S96"


def write_class_2d(project: Path, uid: str, spec: Spec, simulated: SimulatedJob, rows: Particles) -> Path:
    """`project/uid` (such as `J12`) with averages, particles, passthrough, job.json, and our truth.tsv."""
    folder = project / uid
    folder.mkdir(parents=True)
    stem = f"{uid}_{ITERATION:03d}"
    write_stack(folder / f"{stem}_class_averages.mrc", simulated.job.averages, spec.pixel_size_angstrom)
    save(
        folder / f"{stem}_class_averages.cs", _templates(f"{uid}/{stem}_class_averages.mrc", spec, simulated)
    )
    save(folder / f"{stem}_particles.cs", _particles(spec, rows))
    save(folder / f"{uid}_passthrough_particles.cs", _passthrough(spec, rows))
    inputs = [
        {
            "name": "particles",
            "type": "particle",
            "connections": [{"job_uid": "J2", "group_name": "particles"}],
        }
    ]
    params = {
        "class2D_K": len(simulated.job.classes),
        "class2D_window_inner_A": spec.mask_diameter_angstrom,
    }
    (folder / "job.json").write_text(_document(project, uid, "class_2D", inputs, params))
    (folder / "truth.tsv").write_text(truth_table(simulated.truth, simulated.job.classes.particles))
    return folder / f"{stem}_class_averages.cs"


def write_select_2d(project: Path, uid: str, class2d: str, labels: Labels) -> None:
    """The expert's Select 2D job of the classification in folder `class2d`."""
    folder, source = project / uid, project / class2d
    folder.mkdir(parents=True)
    stem = f"{class2d}_{ITERATION:03d}"
    templates = np.load(source / f"{stem}_class_averages.cs")
    table = np.load(source / f"{stem}_particles.cs")
    through = np.load(source / f"{class2d}_passthrough_particles.cs")
    in_class = labels.kept[table["alignments2D/class"]]
    for side, classes, particles in (
        ("selected", labels.kept, in_class),
        ("excluded", ~labels.kept, ~in_class),
    ):
        save(folder / f"templates_{side}.cs", templates[classes])
        save(folder / f"particles_{side}.cs", table[particles])
        save(folder / f"{uid}_passthrough_particles_{side}.cs", through[particles])
    inputs = [
        {
            "name": "particles",
            "type": "particle",
            "connections": [{"job_uid": class2d, "group_name": "particles"}],
        },
        {
            "name": "templates",
            "type": "template",
            "connections": [{"job_uid": class2d, "group_name": "class_averages"}],
        },
    ]
    (folder / "job.json").write_text(_document(project, uid, "select_2D", inputs, {}))


def save(path: Path, rows: NDArray[Any]) -> None:
    """A `.cs` file: a NumPy structured array under that name."""
    with path.open("wb") as file:
        np.save(file, rows, allow_pickle=False)


def table(n: int, columns: dict[str, tuple[str, Any]]) -> NDArray[Any]:
    """n rows; each column is its dtype and its values."""
    filled = {name: np.asarray(values) for name, (_, values) in columns.items()}
    kinds = [
        (name, kind, filled[name].shape[1:]) if filled[name].ndim > 1 else (name, kind)
        for name, (kind, _) in columns.items()
    ]
    rows = np.zeros(n, np.dtype(kinds))
    for name, values in filled.items():
        rows[name] = values
    return rows


def _uids(n: int, salt: int) -> NDArray[np.uint64]:
    return np.random.default_rng([n, salt]).integers(1, 2**63, n, dtype=np.uint64)


def _templates(stack: str, spec: Spec, simulated: SimulatedJob) -> NDArray[Any]:
    n = len(simulated.job.classes)
    return table(n, {
        "uid": ("<u8", _uids(n, 1)), "blob/path": (TEXT, stack.encode()), "blob/idx": ("<u4", np.arange(n)),
        "blob/shape": ("<u4", np.full((n, 2), spec.box)), "blob/psize_A": ("<f4", spec.pixel_size_angstrom),
        "blob/res_A": ("<f4", simulated.job.classes.resolution_angstrom),
        "blob/import_sig": ("<u8", 0),
    })  # fmt: skip


def _particles(spec: Spec, rows: Particles) -> NDArray[Any]:
    n = len(rows)
    error = 1 - 0.1 * rows.probability
    return table(n, {
        "uid": ("<u8", _uids(n, 2)),
        "alignments2D/split": ("<u4", np.arange(n) % 2),
        "alignments2D/shift": ("<f4", rows.origin_angstrom / spec.pixel_size_angstrom),
        "alignments2D/pose": ("<f4", np.radians(rows.psi_degree)),
        "alignments2D/psize_A": ("<f4", spec.pixel_size_angstrom),
        "alignments2D/error": ("<f4", error), "alignments2D/error_min": ("<f4", error * 0.99),
        "alignments2D/resid_pow": ("<f4", error), "alignments2D/slice_pow": ("<f4", 0.1 * rows.probability),
        "alignments2D/image_pow": ("<f4", 1.0), "alignments2D/cross_cor": ("<f4", rows.probability),
        "alignments2D/alpha": ("<f4", 1.0), "alignments2D/alpha_min": ("<f4", rows.probability + 0.3),
        "alignments2D/weight": ("<f4", 1.0), "alignments2D/pose_ess": ("<f4", 1 / rows.probability),
        "alignments2D/shift_ess": ("<f4", 1 / rows.probability),
        "alignments2D/class_posterior": ("<f4", rows.probability),
        "alignments2D/class": ("<u4", rows.class_number - 1),
        "alignments2D/class_ess": ("<f4", 1 + 3 * (1 - rows.probability)),
    })  # fmt: skip


def _passthrough(spec: Spec, rows: Particles) -> NDArray[Any]:
    n = len(rows)
    scope = spec.microscope
    paths = [f"J1/motioncorrected/mic_{m:05d}_doseweighted.mrc".encode() for m in range(rows.micrographs)]
    return table(n, {
        "uid": ("<u8", _uids(n, 2)), "blob/path": (TEXT, b"J2/extract/batch_000000.mrc"),
        "blob/idx": ("<u4", np.arange(n)), "blob/shape": ("<u4", np.full((n, 2), spec.box)),
        "blob/psize_A": ("<f4", spec.pixel_size_angstrom), "blob/sign": ("<f4", -1.0),
        "blob/import_sig": ("<u8", 0), "ctf/type": ("S6", b"spline"), "ctf/exp_group_id": ("<u4", 1),
        "ctf/accel_kv": ("<f4", scope.voltage_kv), "ctf/cs_mm": ("<f4", scope.aberration_mm),
        "ctf/amp_contrast": ("<f4", scope.amplitude_contrast),
        "ctf/df1_A": ("<f4", rows.defocus_angstrom[:, 0]), "ctf/df2_A": ("<f4", rows.defocus_angstrom[:, 1]),
        "ctf/df_angle_rad": ("<f4", np.radians(rows.astigmatism_degree)),
        "ctf/phase_shift_rad": ("<f4", 0.0),
        "location/micrograph_uid": ("<u8", rows.micrograph + 1),
        "location/micrograph_path": (TEXT, [paths[m] for m in rows.micrograph]),
        "location/micrograph_shape": ("<u4", np.full((n, 2), MICROGRAPH_PX)),
        "location/center_x_frac": ("<f4", rows.x_px / MICROGRAPH_PX),
        "location/center_y_frac": ("<f4", rows.y_px / MICROGRAPH_PX),
    })  # fmt: skip


def _document(
    project: Path, uid: str, kind: str, inputs: list[dict[str, Any]], params: dict[str, Any]
) -> str:
    document = {
        "project_uid": project.name, "uid": uid, "job_type": kind, "type": kind, "title": "",
        "status": "completed", "version": "v4.4.1",
        "params_spec": {name: {"value": value} for name, value in params.items()},
        "input_slot_groups": inputs, "created_by_job_uid": None,
    }  # fmt: skip
    return json.dumps(document, indent=1) + "\n"
