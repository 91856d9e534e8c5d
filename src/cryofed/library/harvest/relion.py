"""Past selections of a RELION project: interactive Select jobs and the 2D classification of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryofed.errors import InputError
from cryofed.jobs import star
from cryofed.jobs.reading import read_text, translated
from cryofed.jobs.relion import class_number
from cryofed.library.harvest.past import Found, Passed, PastSelection, why
from cryofed.library.harvest.walk import job_folders
from cryofed.library.rows import file_time

PIPELINE = "default_pipeline.star"
BACKUP = "backup_selection.star"  # one row per class: 0, or the colour of the GUI
AVERAGES = "class_averages.star"  # the selected classes only
GRADES = "grades.tsv"  # class number and CryoSift's grade 1 to 5, at sites that grade
SCORE = "job_score.txt"  # how good the whole job is, as in EMPIAR-10812
RANKED = ("rank_optimiser.star", "rank_model.star")  # the class ranker leaves them
# Options of a Select job under which a program chose, not a person (RELION, pipeline_jobs.cpp).
SUBSETS = ("do_select_values", "do_discard", "do_split", "do_remove_duplicates", "do_filaments")
MOST_JOB = 1 << 20  # bytes of a run.job
# Labels of the GUI in RELION 3.0 (pipeline_jobs.cpp, initialiseSelectJob).
OLD_LABELS = {
    "Select classes from model.star": "fn_model",
    "Select classes from model.star:": "fn_model",
    "OR select from micrographs.star": "fn_mic",
    "OR select from micrographs.star:": "fn_mic",
    "OR select from particles.star": "fn_data",
    "OR select from particles.star:": "fn_data",
    "Select based on metadata values?": "do_select_values",
    "OR: select on image statistics?": "do_discard",
    "OR: split into subsets?": "do_split",
    "OR: remove duplicates?": "do_remove_duplicates",
}
PERSON, RANKER, SUBSET, UNKNOWN = "person", "ranker", "subset", "unknown"
WHY_NOT = {
    RANKER: "RELION's class ranker chose; that is not an expert's label",
    SUBSET: "a subset by value, split or duplicates; no class was judged",
    UNKNOWN: "no job.star: a person's selection cannot be told from a program's",
}


class _Said(NamedTuple):
    habit: str
    values: dict[int, float]
    others: float
    written: Path
    whole: bool = False  # one label for each class


def is_project(folder: Path) -> bool:
    """Whether RELION's pipeline runs in this folder."""
    return (folder / PIPELINE).is_file()


def find(project: Path) -> Iterator[Found]:
    """Every Select job of a project, in the order of their numbers."""
    name = str(project.resolve())
    place = project / "Select"
    if not place.is_dir():
        return
    for entry in sorted(place.glob("job*")):
        if not entry.is_dir():  # a link that leads nowhere, or was copied as a file
            yield Passed(
                project=name, source=entry, reason="no folder; if it was a link, its target is not here"
            )
    for folder in job_folders(place):
        try:
            yield _selection(project, name, folder)
        except Exception as error:  # of one job; the others must go on
            yield Passed(project=name, source=folder, reason=why(error))


def read(folder: Path) -> Found | None:
    """One Select job of a project by its folder; None where it is none."""
    project = folder.absolute().parent.parent
    if folder.absolute().parent.name != "Select" or not is_project(project):
        return None
    with translated(folder, "selection"):
        return _selection(project, str(project.resolve()), folder)


def _selection(project: Path, name: str, folder: Path) -> Found:
    options = _options(folder) or _pipeline_label(project, folder)
    who = chooser(options, [(folder / file).is_file() for file in RANKED], (folder / BACKUP).is_file())
    if who != PERSON:
        return Passed(project=name, source=folder, reason=WHY_NOT[who])
    said = _said(folder)
    model = options.get("fn_model", "")
    job = classification(project, folder, model)
    if job is None:
        reason = f"its classification is gone ({model or 'no input is named'})"
        return Passed(project=name, source=folder, reason=reason)
    return PastSelection(
        project=name,
        source=folder,
        job=job,
        made_at=file_time(said.written),
        habit=said.habit,
        values=said.values,
        others=said.others,
        job_score=job_score(folder),
        whole=said.whole,
    )


def chooser(options: dict[str, str], ranked: list[bool], backup: bool) -> str:
    """Who chose, from the options of `job.star` (empty where there is none) and the files left behind."""
    label = options.get("job type", "")
    if options.get("do_class_ranker") == "Yes" or label.endswith("class2dauto"):
        return RANKER
    if not options:
        # Before RELION 3.1 there was neither a job.star nor a class ranker.
        return RANKER if any(ranked) else PERSON if backup else UNKNOWN
    if any(options.get(option) == "Yes" for option in SUBSETS):
        return SUBSET
    only_other_input = not options.get("fn_model") and bool(options.get("fn_data") or options.get("fn_mic"))
    typed = label.startswith("relion.select") and not label.endswith("interactive")
    return SUBSET if only_other_input or typed else PERSON


def classification(project: Path, folder: Path, model: str) -> Path | None:
    """The file of the 2D classification that a Select job opened, None where nothing is left of it.

    A job that opened the class ranker's result, or an older one without job.star, names the averages in
    its own files.
    """
    places = []
    ranked = Path(model).name.startswith("rank_")
    if model and not ranked:
        places.append(project / model)
    if ranked:
        places += _averages(project, (project / model).with_name("rank_model.star"), "model_classes")
    places += _averages(project, folder / AVERAGES, "")
    return next((place for place in places if place.is_file()), None)


def _averages(project: Path, file: Path, block: str) -> list[Path]:
    table = star.read_block(file, block) if file.is_file() else None
    names = (table or {}).get("rlnReferenceImage", [])
    return [project / names[0].partition("@")[2]] if names else []


def _said(folder: Path) -> _Said:
    """What was said of the classes, from the file that says most."""
    backup, averages, grades = folder / BACKUP, folder / AVERAGES, folder / GRADES
    if grades.is_file():
        return _Said("grade", _graded(grades), float("nan"), grades)
    if backup.is_file():
        values = selected(backup)
        habit = "binary" if set(values.values()) <= {0.0, 1.0} else "relion-colour"
        return _Said(habit, values, float("nan"), backup, whole=True)
    if averages.is_file():
        column = star.need_column(averages, star.need_block(averages, ""), "rlnReferenceImage")
        numbers = [class_number(name) for name in column]
        if None in numbers:
            found = f"{column[numbers.index(None)][:60]!r}, which is no image of a stack"
            raise InputError(
                averages, "_rlnReferenceImage", found, "a selection of 3D classes teaches nothing"
            )
        return _Said("binary", {number: 1.0 for number in numbers if number}, 0.0, averages)
    raise InputError(folder, "selection", f"neither {BACKUP} nor {AVERAGES}", "nothing was saved there")


def _graded(grades: Path) -> dict[int, float]:
    """Class number and grade of every line behind the first."""
    labels = {}
    for line in read_text(grades, "table of grades").splitlines()[1:]:
        words = line.split()
        if not words:
            continue
        with translated(grades, f"line {line[:40]!r}", "give a class number and a grade from 1 to 5"):
            number, grade = words
            labels[int(number)] = float(grade)
    return labels


def selected(backup: Path) -> dict[int, float]:
    """What `backup_selection.star` says of every class: 0, 1 or the colour of the GUI, by class number."""
    column = star.need_column(backup, star.need_block(backup, ""), "rlnSelected")
    said = {}
    for number, value in enumerate(column, start=1):
        whole = re.fullmatch(r"(-?[0-9]{1,6})(\.0*)?", value)
        if not whole:
            raise InputError(
                backup, "_rlnSelected", f"{value[:40]!r} of class {number}", "give 0, 1 or a colour up to 6"
            )
        said[number] = float(whole[1])
    return said


def job_score(folder: Path) -> float:
    """How good the whole job is, 0 to 1, where somebody wrote it down; else 1."""
    path = folder / SCORE
    if not path.is_file():
        return 1.0
    text = read_text(path, "score").strip()
    try:
        score = float(text)
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise InputError(path, "score", repr(text[:40]), "give a number from 0 to 1")
    return score


def _options(folder: Path) -> dict[str, str]:
    """Options of `job.star`, or of the `run.job` before RELION 3.1, by name; nothing without either."""
    path = folder / "job.star"
    if not path.is_file():
        return _old_options(folder / "run.job")
    table = star.need_block(path, "joboptions_values")
    names = star.need_column(path, table, "rlnJobOptionVariable")
    values = star.need_column(path, table, "rlnJobOptionValue")
    job = star.read_block(path, "job") or {}
    label = next(iter(job.get("rlnJobTypeLabel", [])), "")
    return {**dict(zip(names, values, strict=True)), "job type": label}


def _old_options(path: Path) -> dict[str, str]:
    """The lines `label == value` of a `run.job`, under the names that `job.star` has for them."""
    if not path.is_file() or path.stat().st_size > MOST_JOB:
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    written = {key.strip(): value.strip() for key, _, value in (line.partition("==") for line in lines)}
    return {name: written[label] for label, name in OLD_LABELS.items() if label in written}


def _pipeline_label(project: Path, folder: Path) -> dict[str, str]:
    """The job's type as RELION 4 and later write it in the pipeline, where `job.star` is gone."""
    table = star.read_block(project / PIPELINE, "pipeline_processes") or {}
    names = table.get("rlnPipeLineProcessName", [])
    labels = table.get("rlnPipeLineProcessTypeLabel", [])
    label = dict(zip(names, labels, strict=False)).get(f"Select/{folder.name}/")
    return {"job type": label} if label else {}
