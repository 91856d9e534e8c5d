"""Past selections of a CryoSPARC project (3, 4, 5): Select 2D jobs and the classification of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryofed.errors import InputError
from cryofed.jobs import cryosparc
from cryofed.jobs.cryosparc import need_field, read_cs
from cryofed.jobs.reading import read_json
from cryofed.library.harvest.past import Found, Passed, PastSelection, why
from cryofed.library.rows import file_time

JOB = "job.json"
SELECTED, EXCLUDED = "templates_selected.cs", "templates_excluded.cs"
SELECT, BY_REFERENCE = "select_2D", "reference_select_2D"
OURS = "CryoFed"  # how the title of a job begins that this program drove


def is_project(folder: Path) -> bool:
    """Whether the folder holds CryoSPARC job folders."""
    return any(True for _ in _jobs(folder))


def find(project: Path) -> Iterator[Found]:
    """Every Select 2D job of a project."""
    name = str(project.resolve())
    for folder in sorted(_jobs(project), key=lambda job: int(job.name[1:])):
        try:
            if selection := _selection(project, name, folder, read_json(folder / JOB)):
                yield selection
        except Exception as error:  # of one job; the others must go on
            yield Passed(project=name, source=folder, reason=why(error))


def read(folder: Path) -> Found | None:
    """One Select 2D job of a project by its folder; None where it is none."""
    project = folder.absolute().parent
    try:
        document = read_json(folder / JOB)
        return _selection(project, str(project.resolve()), folder, document)
    except (InputError, OSError, ValueError, TypeError, AttributeError):
        return None


def _jobs(folder: Path) -> Iterator[Path]:
    jobs = folder.glob("J[0-9]*")
    return (job for job in jobs if job.name[1:].isdecimal() and len(job.name) < 11 and (job / JOB).is_file())


def _selection(project: Path, name: str, folder: Path, document: dict[str, Any]) -> Found | None:
    if job_type(document) not in (SELECT, BY_REFERENCE):
        return None
    if reason := why_not(document):
        return Passed(project=name, source=folder, reason=reason)
    kept, stack = _classes(folder / _named(folder, SELECTED))
    rejected, other_stack = _classes(folder / _named(folder, EXCLUDED))
    job = classification(project, document, stack or other_stack)
    if job is None:
        return Passed(project=name, source=folder, reason="its 2D classification is gone")
    return PastSelection(
        project=name,
        source=folder,
        job=job,
        made_at=file_time(folder / _named(folder, SELECTED)),
        habit="binary",
        values={**dict.fromkeys(rejected, 0.0), **dict.fromkeys(kept, 1.0)},
        others=float("nan"),
    )


def why_not(document: dict[str, Any]) -> str:
    """Why a selection is not that of a person; nothing where it is."""
    if job_type(document) == BY_REFERENCE:
        return "CryoSPARC chose by a 3D reference; that is not an expert's label"
    if str(document.get("title") or "").startswith(OURS):
        return "CryoFed chose; that is not an expert's label"
    if document.get("created_by_job_uid"):
        return "another job made it, not a person"
    status = document.get("status", "unknown")
    return "" if status == "completed" else f"its status is {status}, not completed"


def job_type(document: dict[str, Any]) -> str:
    """The type of a job: version 5 keeps it in `spec`, version 4 in `job_type` or `type`."""
    spec = document.get("spec") or {}
    return str(spec.get("type") or document.get("job_type") or document.get("type") or "")


def is_classification(document: dict[str, Any]) -> bool:
    """Whether a job made class averages: `class_2D`, `class_2D_new`, and `class_2D_streaming` of Live."""
    return job_type(document).startswith("class_2D")


def parents(document: dict[str, Any], name: str) -> list[str]:
    """The jobs connected to the input `name`: version 5 in `spec`, version 4 in `input_slot_groups`."""
    spec = document.get("spec") or {}
    groups = dict(spec.get("inputs") or {})
    groups.update({group.get("name"): group for group in document.get("input_slot_groups") or []})
    connections = (groups.get(name) or {}).get("connections") or []
    return [str(connection["job_uid"]) for connection in connections if connection.get("job_uid")]


def classification(project: Path, document: dict[str, Any], stack: str) -> Path | None:
    """The `_class_averages.cs` of the averages that were shown, or the last of the job that made them."""
    written = (project / stack).with_suffix(".cs") if stack else None
    if written and written.is_file():
        return written
    folders = [project / uid for uid in parents(document, "templates")]
    classifications = (cryosparc.find(folder) for folder in folders if folder.is_dir())
    return next((starts[-1].file for starts in classifications if starts), None)


def _named(folder: Path, name: str) -> str:
    """The file's name; some versions put the job's number before it."""
    for candidate in (name, f"{folder.name}_{name}"):
        if (folder / candidate).is_file():
            return candidate
    raise InputError(folder / name, "selection", "no such file", "nothing was saved there")


def _classes(path: Path) -> tuple[list[int], str]:
    """Class numbers from 1 (image index plus 1) and the stack that they are in, as written."""
    rows = read_cs(path)
    if not len(rows):
        return [], ""
    stack = need_field(path, rows, "blob/path")[0]
    text = stack.decode() if isinstance(stack, bytes) else str(stack)
    return [int(index) + 1 for index in need_field(path, rows, "blob/idx")], text
