"""What can be judged at once: the one-line rule, a model file, and any program's scores in a table."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.real.sets import LabelledSet
from benchmarks.real.sources import labels
from benchmarks.real.table import Answer
from cryofed.errors import InputError, OutputError
from cryofed.jobs.job import ClassJob
from cryofed.scoring.prepare import job_radius_px, resample
from cryofed.scoring.scorer import scorable, score_job
from cryofed.selection.policy import decide

COLUMNS = ("set", "class_number", "score")
SIDE = 64  # pixels across the mask
INSIDE = 0.8  # of the mask's radius; the best of five on these very sets, which flatters the rule
YES, NO = {"1", "true", "yes"}, {"0", "false", "no"}


def rule(job: ClassJob) -> Answer:
    """The one-line rule: variance inside the circle over that outside it. It has no cut of its own."""
    averages = resample(job.averages, job_radius_px(job), SIDE)
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    radius = np.hypot(y, x) / (SIDE / 2)
    inside, outside = radius < INSIDE, (radius >= INSIDE) & (radius < 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = averages[:, inside].var(axis=1) / averages[:, outside].var(axis=1)
    return Answer(score=np.where(scorable(job), score, np.nan))


def product(job: ClassJob, model: Path | None = None) -> Answer:
    """The product's own way: a model file scores the job, the default policy decides."""
    selection = decide(job, score_job(job, model))
    return Answer(score=selection.score, kept=selection.kept)


def read_scores(path: Path, sets: Sequence[LabelledSet]) -> Mapping[str, Answer]:
    """Scores of any program: a TSV with `set`, `class_number`, `score` and perhaps `kept`.

    A class that is not named has no score and is not kept. A set of which no class is named is left out, and
    so is a set of the benchmark that is not in `sets`.
    `score` may be empty or nan; `kept` is 1 or 0.

    Raises:
        InputError: the file cannot be read, or a row is not of that form.
    """
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            table = csv.DictReader(lines, delimiter="\t", strict=True)
            rows, columns = list(table), table.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, "file", str(error), "give a table with tabs between its columns") from None
    for column in COLUMNS:
        if column not in columns:
            found = f"columns {', '.join(columns)}" if columns else "an empty file"
            raise InputError(
                path, column, found, f"the first line names {', '.join(COLUMNS)} and perhaps kept"
            )
    sizes = {of.name: len(of) for of in sets}
    told: dict[str, dict[int, tuple[float, bool]]] = {}
    for number, row in enumerate(rows, 2):
        if row["set"] in labels() and row["set"] not in sizes:
            continue  # a set of the benchmark that this folder does not have
        name, index, score, kept = _row(path, number, row, sizes)
        if index in told.setdefault(name, {}):
            raise InputError(
                path, f"line {number}", f"class {index + 1} of {name} again", "give each class once"
            )
        told[name][index] = score, kept
    return {name: _answer(of, sizes[name], "kept" in columns) for name, of in told.items()}


def write_scores(path: Path, sets: Iterable[LabelledSet], answers: Mapping[str, Answer]) -> None:
    """The file that `read_scores` reads."""
    decides = all(answer.kept is not None for answer in answers.values())
    lines = ["\t".join((*COLUMNS, "kept") if decides else COLUMNS)]
    for of in sets:
        answer = answers[of.name]
        for index, score in enumerate(answer.score):
            kept = "" if answer.kept is None or not decides else f"\t{int(answer.kept[index])}"
            lines.append(f"{of.name}\t{index + 1}\t{score:.6g}{kept}")
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise OutputError(path, "file", error.strerror or str(error), "give another place") from None


def _row(
    path: Path, number: int, row: Mapping[str, str | None], sizes: Mapping[str, int]
) -> tuple[str, int, float, bool]:
    def refuse(field: str, remedy: str) -> InputError:
        return InputError(path, f"line {number}, {field}", repr(row[field]), remedy)

    name = row["set"] or ""
    if name not in sizes:
        raise refuse("set", f"give one of {', '.join(sizes)}")
    text = row["class_number"] or ""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= sizes[name]:
        raise refuse("class_number", f"{name} has classes 1 to {sizes[name]}")
    try:
        score = float(row["score"] or "nan")
    except ValueError:
        raise refuse("score", "give a number, or nothing where there is no score") from None
    if math.isinf(score):
        raise refuse("score", "give a finite number, or nothing where there is no score")
    kept = (row.get("kept") or "0").strip().lower()
    if kept not in YES | NO:
        raise refuse("kept", "give 1 or 0")
    return name, int(text) - 1, score, kept in YES


def _answer(told: Mapping[int, tuple[float, bool]], size: int, decides: bool) -> Answer:
    nothing = (math.nan, False)
    rows = [told.get(index, nothing) for index in range(size)]
    kept = np.array([k for _, k in rows]) if decides else None
    return Answer(score=np.array([score for score, _ in rows]), kept=kept)
