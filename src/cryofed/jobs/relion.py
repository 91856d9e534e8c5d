"""RELION 3.0 to 5, also inside Scipion: a Class2D folder, or one of its files, becomes a `ClassJob`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError
from cryofed.jobs import star
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.jobs.mrc import read_mrc
from cryofed.jobs.programs import Start
from cryofed.jobs.rows import read_particles

# run_it025_optimiser.star; a continued run is run_ct10_it025_…; published sets also have run_model.star.
NAME = re.compile(
    r"(?P<root>.+?)(?:_ct(?P<continued>\d{1,9}))?(?:_it(?P<iteration>\d{1,9}))?"
    r"(?<!_unmasked)_(?P<role>optimiser|model|data|classes)"
)
SUFFIX = {"optimiser": ".star", "model": ".star", "data": ".star", "classes": ".mrcs"}
REST = "finish or copy the whole iteration (classes.mrcs, model.star, data.star, optimiser.star)"
RANKED = "rank"  # root of what RELION's class ranker and CryoFed write
MOST_CLASSES = 20_000


def matched(path: Path) -> re.Match[str] | None:
    """The parts of the name of an iteration's optimiser, model, data or classes file."""
    match = NAME.fullmatch(path.stem)
    return match if match and path.suffix == SUFFIX[match["role"]] and path.name[0] != "." else None


def stem_of(path: Path) -> str:
    """`run_it025` of any file of that iteration."""
    match = matched(path)
    return path.stem[: -len(match["role"]) - 1] if match else path.stem


def starts(path: Path) -> Path | None:
    """The file itself where it is one of an iteration; a stack alone is none."""
    match = matched(path)
    if match is None:
        return None
    roles = ("model", "optimiser")
    beside = any(path.with_name(f"{stem_of(path)}_{role}.star").exists() for role in roles)
    return path if path.suffix == ".star" or beside else None


def find(folder: Path) -> list[Start]:
    """One file of the last whole iteration of every RELION classification in a folder.

    A continued run (`run_ct20_it025`) goes before what it continues. A set of files without an optimiser,
    beside one that has it, is another program's and no classification of its own.
    """
    sets: dict[str, dict[str, Path]] = {}  # of every iteration, by role
    for file in sorted(folder.iterdir()):
        if match := matched(file):
            sets.setdefault(stem_of(file), {})[match["role"]] = file
    roots: dict[str, list[str]] = {}
    for stem, files in sets.items():
        match = matched(next(iter(files.values())))
        roots.setdefault(match["root"] if match else stem, []).append(stem)
    with_optimiser = [r for r, stems in roots.items() if any("optimiser" in sets[s] for s in stems)]
    return [_last(sets, roots[root]) for root in with_optimiser or roots]


def open_job(path: Path) -> ClassJob:
    """Read the iteration that `path` belongs to; averages stay on disk.

    The pixel size stands in the model (3.1 to 5), else in the optics table, else in the header of the
    averages; the mask diameter only in the optimiser, so without that file it is unknown.
    """
    match = matched(path)
    if match and match["root"] == RANKED:
        raise InputError(path, "file", "a selection", "give the Class2D job that it was made from")
    files = _files(path)
    averages, header_pixel = read_mrc(files["averages"])
    general, rows = _model(files["model"])
    table = _classes(files["model"], rows, len(averages))
    particles = read_particles(files["data"]) if "data" in files else None
    if particles is not None:
        table = replace(table, particles=_counts(table, particles.classes, files["data"]))
    pixel = _number(general.get("rlnPixelSize")) or _optics_pixel(files.get("data")) or header_pixel
    optimiser = star.need_block(files["optimiser"], "optimiser_general") if "optimiser" in files else {}
    notes = []
    if particles is not None and not particles.plain:
        notes.append(
            f"{files['data'].name}: what is written has LF line ends, no spaces before names and no comments"
            " among rows, as RELION reads it"
        )
    if particles is not None and not particles.ended:
        notes.append(
            f"{files['data'].name}: it ends without the blank line that RELION writes behind the last"
            " particle; if it was copied, compare its size"
        )
    return ClassJob(
        program="relion",
        path=path,
        name=_name(path),
        averages=averages,
        classes=_in_angstrom(files["model"], table, rows, pixel),
        pixel_size_angstrom=pixel,
        mask_diameter_angstrom=_number(optimiser.get("rlnParticleDiameter")),
        particle_classes=None if particles is None else particles.classes,
        particle_rows=particles,
        read=stem_of(path),
        notes=tuple(notes),
        files=files,
    )


def own_folder(job: ClassJob) -> Path | None:
    """The job's folder."""
    return job.files["model"].absolute().parent


def class_rows(model: Path) -> star.Table:
    """The table of classes as written, in class order, with `number` beside."""
    return _model(model)[1]


def project_folder(files: dict[str, Path], written: str) -> Path | None:
    """The folder from which RELION ran: what is left of a file's path without the path written in a STAR."""
    for file in files.values():
        parts, tail = file.absolute().parts, Path(written).parent.parts
        if tail and parts[:-1][-len(tail) :] == tail:
            return Path(*parts[: -1 - len(tail)])
    return None


def _last(sets: dict[str, dict[str, Path]], stems: list[str]) -> Start:
    """The iteration to read of one classification, and what else was there."""
    ordered = sorted(stems, key=lambda stem: _age(next(iter(sets[stem].values()))))
    newest = ordered[-1]
    needed = set(SUFFIX) if any("optimiser" in sets[s] for s in stems) else {"classes", "model"}
    whole = [stem for stem in ordered if needed <= {role for role, f in sets[stem].items() if _holds(f)}]
    chosen = whole[-1] if whole else newest
    note = ""
    if chosen != newest:
        there = {role for role, file in sets[newest].items() if _holds(file)}
        missing = [role + SUFFIX[role] for role in SUFFIX if role in needed - there]
        verb = "is" if len(missing) == 1 else "are"
        empty = " or empty" if there < set(sets[newest]) else ""
        note = f"read {chosen}: {newest} is not whole, {' and '.join(missing)} {verb} missing{empty}"
    elif len(runs := {_age(next(iter(sets[stem].values())))[:2] for stem in stems}) > 1 and max(runs)[0]:
        note = f"read {chosen}, the continued run"
    # optimiser > model > data > classes as the file to start from
    return Start(next(sets[chosen][role] for role in SUFFIX if role in sets[chosen]), note)


def _holds(file: Path) -> bool:
    """Whether something stands in a file: RELION may be writing it, or a copy has begun."""
    return file.is_file() and file.stat().st_size > 0


def _age(path: Path) -> tuple[bool, int, int]:
    """What makes an iteration newer: a continued run first, then its number, then where it continued."""
    match = matched(path)
    iteration, continued = (match["iteration"], match["continued"]) if match else (None, None)
    return continued is not None, int(iteration or 10**9), int(continued or 0)


def _files(path: Path) -> dict[str, Path]:
    """The files of one iteration, by role; a neighbour goes before the path written in the optimiser."""
    stem = stem_of(path)
    files = {"averages": path.with_name(f"{stem}_classes.mrcs")}
    for role in ("optimiser", "model", "data"):
        file = path.with_name(f"{stem}_{role}.star")
        if file.is_file():
            files[role] = file
    if "optimiser" in files:
        general = star.need_block(files["optimiser"], "optimiser_general")
        for role, column in (("model", "rlnModelStarFile"), ("data", "rlnExperimentalDataStarFile")):
            written = star.need_value(files["optimiser"], general, column)
            places = [files[role]] if role in files else _elsewhere(path, written)
            if not places:
                name = Path(written).name or f"{stem}_{role}.star"
                raise InputError(path.with_name(name), f"{role}.star", "no such file", REST)
            files[role] = places[0]
    if "model" not in files:
        raise InputError(path.with_name(f"{stem}_model.star"), "model.star", "no such file", REST)
    if not files["averages"].exists():
        rows = _model(files["model"])[1]
        written = next(iter(rows["rlnReferenceImage"]), "").partition("@")[2]
        places = _elsewhere(path, written)
        if not places:
            raise InputError(files["averages"], "class averages", "no such file", REST)
        files["averages"] = places[0]
    return files


def _elsewhere(path: Path, written: str) -> list[Path]:
    """A file by its name beside `path`, or by its path from any folder above."""
    name = Path(written).name
    if not name:
        return []
    places = [path.with_name(name), *(parent / written for parent in path.absolute().parents)]
    return [place for place in places if place.is_file()][:1]


def _model(path: Path) -> tuple[dict[str, str], star.Table]:
    """General values and the rows of classes, sorted by class number, of a model.star."""
    general = {name: values[0] for name, values in star.need_block(path, "model_general").items() if values}
    if general.get("rlnReferenceDimensionality", "2") != "2":
        raise InputError(path, "_rlnReferenceDimensionality", "3", "give a 2D classification, not a 3D one")
    rows = star.need_block(path, "model_classes")
    names = star.need_column(path, rows, "rlnReferenceImage")
    numbers = [class_number(name) or 0 for name in names]
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    rows = {column: [column_values[i] for i in order] for column, column_values in rows.items()}
    rows["number"] = [str(numbers[i]) for i in order]
    return general, rows


def class_number(image: str) -> int | None:
    """The number before `@` in the name of an image; None where there is none."""
    before, at, _ = image.partition("@")
    return int(before) if at and before.isascii() and before.isdigit() and len(before) < 10 else None


def _classes(path: Path, rows: star.Table, images: int) -> ClassTable:
    numbers = [int(n) for n in rows["number"]]
    if len(numbers) != images:
        found = f"{len(numbers)} classes, but the stack has {images} images"
        raise InputError(path, "data_model_classes", found, "give files of one and the same iteration")
    if numbers != list(range(1, images + 1)):
        wrong = sorted(set(range(1, images + 1)) - set(numbers))
        found = f"class numbers are not those of the stack (no class {wrong[0] if wrong else 1})"
        raise InputError(path, "_rlnReferenceImage", found, "give files of one and the same iteration")
    floats = {c: _floats(path, rows, c) for c in ("rlnClassDistribution", "rlnEstimatedResolution")}
    return ClassTable(
        number=np.arange(1, images + 1),
        particles=np.full(images, -1),
        resolution_angstrom=floats["rlnEstimatedResolution"],
        distribution=floats["rlnClassDistribution"],
        accuracy_rotation_degree=_floats(path, rows, "rlnAccuracyRotations", optional=True),
        accuracy_translation_angstrom=_floats(path, rows, "rlnAccuracyTranslationsAngst", optional=True),
    )


def _floats(path: Path, rows: star.Table, column: str, optional: bool = False) -> NDArray[np.float64]:
    """One column as numbers; `inf`, `-nan` and the like, which RELION writes, become NaN."""
    if optional and column not in rows:
        return np.full(len(rows["number"]), np.nan)
    try:
        numbers = np.array([float(v) for v in star.need_column(path, rows, column)], np.float64)
    except ValueError as error:
        raise InputError(path, f"_{column}", str(error)[:120], star.OTHER) from None
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _counts(table: ClassTable, classes: NDArray[np.int32], data: Path) -> NDArray[np.int64]:
    """Particles of each class, from the hard assignments."""
    if len(classes) and not classes.any():
        match = matched(data)
        number = int(match["iteration"] or 0) if match else 0
        found = f"iteration {number}: the classification has not begun, no particle has a class yet"
        raise InputError(data, "_rlnClassNumber", found, "give a later iteration")
    strange = classes[(classes < 1) | (classes > len(table))]
    if len(strange):
        count = int((classes == strange[0]).sum())
        found = f"class {strange[0]} in {count} rows, but there are {len(table)} classes"
        raise InputError(data, "_rlnClassNumber", found, "give files of one and the same iteration")
    return np.bincount(classes, minlength=len(table) + 1)[1:].astype(np.int64)


def _in_angstrom(path: Path, table: ClassTable, rows: star.Table, pixel: float | None) -> ClassTable:
    """RELION before 3.1 wrote the accuracy of translations in pixels."""
    if "rlnAccuracyTranslations" not in rows or pixel is None:
        return table
    return replace(
        table, accuracy_translation_angstrom=_floats(path, rows, "rlnAccuracyTranslations") * pixel
    )


def _optics_pixel(data: Path | None) -> float | None:
    optics = star.read_block(data, "optics") if data else None
    return _number(optics.get("rlnImagePixelSize")) if optics else None


def _number(value: str | Sequence[str] | None) -> float | None:
    """A positive number, or None where nothing usable is written."""
    written = value if isinstance(value, str) else value[0] if value else "nan"
    try:
        number = float(written)
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None


def _name(path: Path) -> str:
    """`Class2D/job012` as RELION calls it, or the folder's name."""
    folder = path.absolute().parent
    in_project = folder.parent.name == "Class2D"
    return f"Class2D/{folder.name}" if in_project else folder.name
