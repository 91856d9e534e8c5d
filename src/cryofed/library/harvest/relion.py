"""Past selections of a RELION project: interactive Select jobs and the 2D classification of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryofed.errors import CryoFedError, InputError
from cryofed.jobs import star
from cryofed.library.harvest.past import Found, Passed, PastSelection
from cryofed.library.rows import file_time

PIPELINE = "default_pipeline.star"
BACKUP = "backup_selection.star"  # one row per class: 0, or the colour of the GUI
AVERAGES = "class_averages.star"  # the selected classes only
GRADES = "grades.tsv"  # class number and CryoSift's grade 1 to 5, at sites that grade
SCORE = "job_score.txt"  # how good the whole job is, as in EMPIAR-10812
RANKED = ("rank_optimiser.star", "rank_model.star")  # the class ranker leaves them
# Options of a Select job under which a program chose, not a person (RELION, pipeline_jobs.cpp).
SUBSETS = ("do_select_values", "do_discard", "do_split", "do_remove_duplicates", "do_filaments")
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


def is_project(folder: Path) -> bool:
    """Whether RELION's pipeline runs in this folder."""
    return (folder / PIPELINE).is_file()


def find(project: Path) -> Iterator[Found]:
    """Every Select job of a project, in the order of their numbers."""
    name = str(project.resolve())
    for folder in sorted((project / "Select").glob("job*")):
        if not folder.is_dir() or folder.is_symlink():
            continue
        try:
            yield _selection(project, name, folder)
        except (CryoFedError, OSError) as error:
            yield Passed(project=name, source=folder, reason=str(error))


def read(folder: Path) -> Found | None:
    """One Select job of a project by its folder; None where it is none."""
    project = folder.absolute().parent.parent
    if folder.absolute().parent.name != "Select" or not is_project(project):
        return None
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
        rows = [line.split() for line in grades.read_text().splitlines()[1:] if line.strip()]
        return _Said("grade", {int(number): float(grade) for number, grade in rows}, float("nan"), grades)
    if backup.is_file():
        column = star.need_column(backup, star.need_block(backup, ""), "rlnSelected")
        values = dict(enumerate(map(float, column), start=1))
        habit = "binary" if set(values.values()) <= {0.0, 1.0} else "relion-colour"
        return _Said(habit, values, float("nan"), backup)
    if averages.is_file():
        column = star.need_column(averages, star.need_block(averages, ""), "rlnReferenceImage")
        return _Said("binary", {int(name.partition("@")[0]): 1.0 for name in column}, 0.0, averages)
    raise InputError(folder, "selection", f"neither {BACKUP} nor {AVERAGES}", "nothing was saved there")


def job_score(folder: Path) -> float:
    """How good the whole job is, 0 to 1, where somebody wrote it down; else 1."""
    path = folder / SCORE
    if not path.is_file():
        return 1.0
    text = path.read_text().strip()
    try:
        score = float(text)
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise InputError(path, "score", repr(text[:40]), "give a number from 0 to 1")
    return score


def _options(folder: Path) -> dict[str, str]:
    """Options of `job.star` by name, and its `job type`; nothing where there is no such file."""
    path = folder / "job.star"
    if not path.is_file():
        return {}
    table = star.need_block(path, "joboptions_values")
    names = star.need_column(path, table, "rlnJobOptionVariable")
    values = star.need_column(path, table, "rlnJobOptionValue")
    job = star.read_block(path, "job") or {}
    options = {name: star.unquote(value) for name, value in zip(names, values, strict=True)}
    return {**options, "job type": job.get("rlnJobTypeLabel", [""])[0]}


def _pipeline_label(project: Path, folder: Path) -> dict[str, str]:
    """The job's type as RELION 4 and later write it in the pipeline, where `job.star` is gone."""
    table = star.read_block(project / PIPELINE, "pipeline_processes") or {}
    names = table.get("rlnPipeLineProcessName", [])
    labels = table.get("rlnPipeLineProcessTypeLabel", [])
    found = dict(zip(names, labels, strict=False)).get(f"Select/{folder.name}/")
    return {"job type": found} if found else {}
