"""What a person decided of single classes, as a small table beside a selection: `decisions.tsv`."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob
from cryofed.jobs.reading import read_text

FILE = "decisions.tsv"
JOB = "# job: "  # the line that says of which job the table speaks, seen from the table's own folder
COLUMNS = ("class_number", "label")
LABELS = {"1": True, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Class number to kept. `job` is what `open_job` takes, None where the table does not say."""

    source: Path
    kept: Mapping[int, bool]
    job: Path | None


def decisions_text(job: ClassJob, kept: Mapping[int, bool], folder: Path) -> str:
    """The table of class numbers, to be written into `folder`; the job is named relative to it."""
    where = os.path.relpath(job.path.absolute(), folder.absolute())
    rows = [f"{number}\t{int(good)}" for number, good in sorted(kept.items())]
    return "\n".join([f"{JOB}{where}", "\t".join(COLUMNS), *rows, ""])


def read_decisions(path: Path) -> Decisions:
    """Read a table with the columns `class_number` and `label` (1 keep, 0 reject, empty for none).

    Raises:
        InputError: it is no such table, or says nothing.
    """
    lines = read_text(path, "table of class_number and label").splitlines()
    named = [line.removeprefix(JOB).strip() for line in lines if line.startswith(JOB)]
    rows = list(csv.reader((line for line in lines if line and not line.startswith("#")), delimiter="\t"))
    kept = _kept(path, rows)
    return Decisions(source=path, kept=kept, job=path.parent / named[0] if named else None)


def _kept(path: Path, rows: list[list[str]]) -> dict[int, bool]:
    header = [word.strip() for word in rows[0]] if rows else []
    if not set(COLUMNS) <= set(header):
        found = f"columns {', '.join(header) or 'none'}"
        raise InputError(path, "table", found, "separate class_number and label by a tab")
    place = [header.index(name) for name in COLUMNS]
    kept: dict[int, bool] = {}
    for row in rows[1:]:
        number, label = (row[i].strip() if i < len(row) else "" for i in place)
        if not label:
            continue
        if label not in LABELS or not number.isascii() or not number.isdigit():
            found = f"class {number[:20]!r} with label {label[:20]!r}"
            raise InputError(path, "label", found, "give a class number and 1, 0 or nothing")
        if kept.get(int(number), LABELS[label]) is not LABELS[label]:
            raise InputError(path, "label", f"class {number} is kept and rejected", "decide for one of them")
        kept[int(number)] = LABELS[label]
    if not kept:
        raise InputError(path, "label", "no class has one", "give 1 or 0 for at least one class")
    return kept
