"""A selection as CryoSPARC datasets and result groups; rows byte for byte.

A 2D Classification keeps what it computed in one dataset and passes the rest of a particle (image, CTF,
place) through in another; a result group (`.csg`) joins the two, and the job "Import Result Group" reads it.
Source: exports of CryoSPARC 3 and 4.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryofed import __version__
from cryofed.errors import InputError, OutputError
from cryofed.jobs.cryosparc import CLASS, Rows, need_field, read_cs
from cryofed.jobs.job import ClassJob
from cryofed.jobs.reading import read_json
from cryofed.selection.policy import Selection
from cryofed.selection.table import write_csv

FILES = (
    "particles_selected.csg",
    "particles_excluded.csg",
    "templates_selected.csg",
    "templates_excluded.csg",
    "particles_selected.cs",
    "particles_excluded.cs",
    "passthrough_particles_selected.cs",
    "passthrough_particles_excluded.cs",
    "templates_selected.cs",
    "templates_excluded.cs",
    "classes.csv",
)
ROWS = 1 << 16  # rows copied at a time
UID = "uid"
VERSION = "v4.0.0"  # of CryoSPARC, where the job does not tell its own


def write(job: ClassJob, selection: Selection, folder: Path, _final: Path) -> None:
    """Split the job's datasets by class, join them to result groups, and write the table of classes."""
    kept = job.classes.number[selection.kept] - 1  # CryoSPARC counts from 0
    particles, templates = read_cs(job.files["particles"]), read_cs(job.files["templates"])
    chosen = {
        "particles": np.isin(need_field(job.files["particles"], particles, CLASS).astype(np.int64), kept),
        "templates": np.isin(
            need_field(job.files["templates"], templates, "blob/idx").astype(np.int64), kept
        ),
    }
    datasets = {"particles": [("particles", particles, np.arange(len(particles)))]}
    datasets["templates"] = [("templates", templates, np.arange(len(templates)))]
    if "passthrough" in job.files:
        passed = read_cs(job.files["passthrough"])
        places = _places(job, particles, passed)
        datasets["particles"].append(("passthrough_particles", passed, places))
    for kind, parts in datasets.items():
        for word, mask in (("selected", chosen[kind]), ("excluded", ~chosen[kind])):
            slots: dict[str, str] = {}
            for name, rows, order in reversed(parts):  # what the classification computed goes before
                file = f"{name}_{word}.cs"
                write_rows(folder / file, rows, order[mask])
                slots |= dict.fromkeys(_slots(rows), file)
            text = group_text(kind, word, slots, int(mask.sum()), _version(job))
            (folder / f"{kind}_{word}.csg").write_text(text, encoding="utf-8")
    write_csv(job, selection, folder / "classes.csv")


def next_steps(_job: ClassJob, final: Path) -> list[tuple[str, str]]:
    """Result groups are imported by a job of the same project."""
    return [
        (
            "In the job Import Result Group, give this as the path; connect its particles to the next job",
            str(final / "particles_selected.csg"),
        ),
        ("The averages that were kept come back in the same way", str(final / "templates_selected.csg")),
    ]


def write_rows(path: Path, rows: Rows, chosen: NDArray[np.int64]) -> None:
    """The chosen rows, in this order, as a `.cs` of the same fields; it is read back and counted.

    Raises:
        OutputError: the file does not hold as many rows as were chosen.
    """
    with path.open("wb") as file:
        header = {**np.lib.format.header_data_from_array_1_0(rows[:0]), "shape": (len(chosen),)}
        try:
            np.lib.format.write_array_header_1_0(file, header)
        except ValueError:  # over 64 kB
            file.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that NumPy before 1.9 cannot read it
                np.lib.format.write_array_header_2_0(file, header)
        # As plain bytes: between fields a copy would hold whatever lay in the memory.
        plain = rows.view(np.dtype((np.void, rows.dtype.itemsize)))
        for first in range(0, len(chosen), ROWS):
            file.write(plain[chosen[first : first + ROWS]].tobytes())
    if len(read_cs(path)) != len(chosen):
        raise OutputError(
            path, "rows", "fewer than were to be kept", "is the disk full? write to another place"
        )


def group_text(kind: str, word: str, slots: Mapping[str, str], count: int, version: str = VERSION) -> str:
    """A result group as CryoSPARC exports it; `slots` are the names of its results and their datasets."""
    singular = kind.removesuffix("s")  # the type: particle or template
    lines = [f"created: '{datetime.now(UTC).isoformat(timespec='seconds')}'", "group:"]
    lines += [f"  description: {kind.capitalize()} of the classes that CryoFed {__version__} {word}"]
    lines += [
        f"  name: {kind}_{word}",
        f"  title: {kind.capitalize()} {word}",
        f"  type: {singular}",
        "results:",
    ]
    for slot, file in sorted(slots.items()):
        lines += [f"  {slot}:", f"    metafile: '>{file}'", f"    num_items: {count}"]
        lines += [f"    type: {singular}.{slot}"]
    return "\n".join([*lines, f"version: {version}", ""])


def _version(job: ClassJob) -> str:
    """The version of CryoSPARC that made the job."""
    try:
        document = read_json(job.files["templates"].with_name("job.json"))
    except InputError:
        return VERSION
    version = str(document.get("version", "")) if isinstance(document, dict) else ""
    return version if re.fullmatch(r"v[0-9]+(\.[0-9]+){1,3}", version) else VERSION


def _slots(rows: Rows) -> set[str]:
    """The names of the results in a dataset: what stands before the `/` of its fields."""
    return {name.partition("/")[0] for name in rows.dtype.names or () if "/" in name}


def _places(job: ClassJob, particles: Rows, passed: Rows) -> NDArray[np.int64]:
    """Where every particle stands in the dataset that was passed through; the two can differ in order."""
    path = job.files["passthrough"]
    wanted, there = need_field(job.files["particles"], particles, UID), need_field(path, passed, UID)
    if np.array_equal(wanted, there):
        return np.arange(len(wanted))
    order = np.argsort(there, kind="stable")
    if not len(there):
        at: NDArray[Any] = np.zeros(0, np.int64)
    else:
        at = order[np.minimum(np.searchsorted(there, wanted, sorter=order), len(there) - 1)]
    lost = len(wanted) if not len(there) else int((there[at] != wanted).sum())
    if lost:
        found = f"{lost:,} of {len(wanted):,} particles are missing"
        raise InputError(path, UID, found, "copy the whole job folder, of one and the same run")
    return at
