"""Write a selection, whole or not at all, as the program that made the job expects it."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cryofed.errors import OutputError
from cryofed.jobs.job import ClassJob
from cryofed.jobs.programs import TABLE, program
from cryofed.selection.making import Making
from cryofed.selection.policy import Selection
from cryofed.selection.report import write_report

REPORT = "report.html"


def default_folder(job: ClassJob) -> Path:
    """A folder beside the job: `job012_selected`, `stack_selected`."""
    own = program(job.program).reader.own_folder(job)
    place = own if own is not None else job.files["averages"].absolute().with_suffix("")
    return place.with_name(f"{place.name}_selected")


def free_folder(wanted: Path) -> Path:
    """`wanted`, or with _2, _3 … behind it where something lies there: a save replaces nothing."""
    number, folder = 1, wanted
    while folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        number += 1
        folder = wanted.with_name(f"{wanted.name}_{number}")
    return folder


def check_folder(job: ClassJob, out: Path) -> None:
    """Refuse a place that must not be written, before the work is done."""
    own = program(job.program).reader.own_folder(job)
    target = out.absolute()
    if own is not None and target.resolve().is_relative_to(own.resolve()):
        raise OutputError(out, "--out", "lies inside the job's own files", "name a folder outside of the job")
    if target.exists() and not target.is_dir():
        raise OutputError(out, "--out", "is a file", "name a new folder")
    everything = {REPORT}.union(*(entry.writer.FILES for entry in TABLE))
    held = sorted(name for name in everything if (target / name).exists())
    if held:
        raise OutputError(out, "--out", f"already holds a selection ({held[0]})", "name a new folder")
    above = next(p for p in (target, *target.parents) if p.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise OutputError(out, "--out", f"{above} cannot be written", "name a folder where you may write")


def write_selection(
    job: ClassJob,
    selection: Selection,
    out: Path,
    *,
    making: Making | None = None,
    beside: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write the program's files and the report into `out`; return their paths.

    `making` is what the report tells beside the selection; `beside` holds further small files, name to text.

    Everything is written into a hidden folder beside `out`, which then becomes `out` in one step. Where
    `out` exists (an External job of RELION, for instance) its files are moved in, or none.
    """
    check_folder(job, out)
    target = out.absolute()
    new = [p for p in (target.parent, *target.parent.parents) if not p.exists()]
    hidden: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        for name, text in (beside or {}).items():
            (hidden / name).write_text(text, encoding="utf-8")
        _write_files(job, selection, hidden, target, making)
        names = sorted(file.name for file in hidden.iterdir())
        _move(hidden, target, names)
    except OSError as error:
        _clean(hidden, new)
        raise OutputError(
            out, "--out", error.strerror or str(error), "name a folder where you may write"
        ) from None
    except BaseException:
        _clean(hidden, new)
        raise
    return [out / name for name in names]


def write_refusal(job: ClassJob, selection: Selection, out: Path, making: Making) -> Path:
    """Write the report alone into `out`, a folder that is made for it: what was refused can be looked at."""
    report = out / REPORT
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_report(job, selection, report, final=out.absolute(), making=making)
    except OSError as error:
        raise OutputError(
            report, "report", error.strerror or str(error), "name a folder where you may write"
        ) from None
    return report


def refused_folder(out: Path) -> Path:
    """Where the report of a refused selection goes: `job012_selected` becomes `job012_refused`."""
    return free_folder(out.with_name(f"{re.sub('_selected(_[0-9]+)?$', '', out.name)}_refused"))


def _write_files(
    job: ClassJob, selection: Selection, folder: Path, final: Path, making: Making | None
) -> None:
    """The program's files and, at the same time, the report: one mostly copies, the other mostly computes."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        native = pool.submit(program(job.program).writer.write, job, selection, folder, final)
        write_report(job, selection, folder / REPORT, final=final, making=making)
        native.result()


def _move(hidden: Path, target: Path, names: list[str]) -> None:
    umask = os.umask(0)
    os.umask(umask)
    hidden.chmod(0o777 & ~umask)
    if not target.exists():
        hidden.rename(target)
        return
    moved: list[Path] = []
    try:
        for name in names:
            (hidden / name).rename(target / name)
            moved.append(target / name)
    except OSError:
        for file in moved:
            file.unlink(missing_ok=True)
        raise
    hidden.rmdir()


def _clean(hidden: Path | None, new: list[Path]) -> None:
    if hidden is not None:
        shutil.rmtree(hidden, ignore_errors=True)
    for folder in new:  # deepest first; only those that were made for this
        try:
            folder.rmdir()
        except OSError:
            return
