"""A selection as CryoSPARC datasets: particles and templates, selected and excluded; rows byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.cryosparc import CLASS, Rows, need_field, read_cs
from cryofed.jobs.job import ClassJob
from cryofed.selection.policy import Selection
from cryofed.selection.table import write_csv

FILES = (
    "particles_selected.cs",
    "particles_excluded.cs",
    "templates_selected.cs",
    "templates_excluded.cs",
    "classes.csv",
)
ROWS = 1 << 16  # rows copied at a time


def write_cryosparc(job: ClassJob, selection: Selection, folder: Path) -> None:
    """Split the job's two datasets by class and write the table of classes."""
    kept = job.classes.number[selection.kept] - 1  # CryoSPARC counts from 0
    for kind, path, field in (
        ("particles", job.files["particles"], CLASS),
        ("templates", job.files["templates"], "blob/idx"),
    ):
        rows = read_cs(path)
        chosen = np.isin(need_field(path, rows, field).astype(np.int64), kept)
        write_rows(folder / f"{kind}_selected.cs", rows, chosen)
        write_rows(folder / f"{kind}_excluded.cs", rows, ~chosen)
    write_csv(job, selection, folder / "classes.csv")


def write_rows(path: Path, rows: Rows, chosen: NDArray[np.bool_]) -> None:
    """The chosen rows as a `.cs` of the same fields, some thousand at a time."""
    with path.open("wb") as file:
        header = np.lib.format.header_data_from_array_1_0(rows[:0])
        np.lib.format.write_array_header_1_0(file, {**header, "shape": (int(chosen.sum()),)})
        for first in range(0, len(rows), ROWS):
            part = rows[first : first + ROWS]
            file.write(part[chosen[first : first + ROWS]].tobytes())
