"""RELION 3.1, 4 and 5: a Class2D folder, or one of its files, becomes a `ClassJob`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError
from cryofed.jobs import star
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.jobs.mrc import read_mrc

# run_it025_optimiser.star; a continued run is run_ct10_it025_…; published sets also have run_model.star.
NAME = re.compile(
    r"(?P<root>.+?)(?:_ct\d+)?(?:_it(?P<iteration>\d+))?(?<!_unmasked)_(?P<role>optimiser|model|data|classes)"
)
SUFFIX = {"optimiser": ".star", "model": ".star", "data": ".star", "classes": ".mrcs"}
REST = "finish or copy the whole iteration (classes.mrcs, model.star, data.star, optimiser.star)"


def is_relion(path: Path) -> bool:
    """Whether a file has the name of an iteration's optimiser, model, data or classes file."""
    match = NAME.fullmatch(path.stem)
    return match is not None and path.suffix == SUFFIX[match["role"]]


def find_iterations(folder: Path) -> list[Path]:
    """One file of the last iteration of every RELION classification in a folder."""
    last: dict[str, tuple[int, str, Path]] = {}
    for file in folder.iterdir():
        match = NAME.fullmatch(file.stem)
        if match and file.suffix == SUFFIX[match["role"]]:
            # optimiser > model > data > classes as the file to start from
            rank = list(SUFFIX)[::-1].index(match["role"])
            found = (int(match["iteration"] or 10**9), f"{rank}{file.name}", file)
            last[match["root"]] = max(last.get(match["root"], found), found)
    return [file for _, _, file in last.values()]


def open_relion(path: Path) -> ClassJob:
    """Read the iteration that `path` belongs to; averages stay on disk.

    The pixel size stands in the model (3.1 to 5), else in the optics table, else in the header of the
    averages; the mask diameter only in the optimiser, so without that file it is unknown.
    """
    files = _files(path)
    averages, header_pixel = read_mrc(files["averages"])
    general, rows = _model(files["model"])
    table = _classes(files["model"], rows, len(averages))
    classes = star.read_classes(star.find_particles(files["data"])) if "data" in files else None
    if classes is not None:
        table = replace(table, particles=_counts(table, classes, files["data"]))
    pixel = _number(general.get("rlnPixelSize")) or _optics_pixel(files.get("data")) or header_pixel
    optimiser = star.need_block(files["optimiser"], "optimiser_general") if "optimiser" in files else {}
    return ClassJob(
        program="relion",
        path=path,
        name=_name(path),
        averages=averages,
        classes=_in_angstrom(table, rows, pixel),
        pixel_size_angstrom=pixel,
        mask_diameter_angstrom=_number(optimiser.get("rlnParticleDiameter")),
        particle_classes=classes,
        files=files,
    )


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


def _files(path: Path) -> dict[str, Path]:
    """The files of one iteration, by role; a neighbour goes before the path written in the optimiser."""
    match = NAME.fullmatch(path.stem)
    if match is None:
        raise InputError(
            path, "name", path.name, "give run_itNNN_optimiser.star, _model.star or _classes.mrcs"
        )
    stem = path.stem[: -len(match["role"])]
    files = {"averages": path.with_name(f"{stem}classes.mrcs")}
    for role in ("optimiser", "model", "data"):
        file = path.with_name(f"{stem}{role}.star")
        if file.is_file():
            files[role] = file
    if "optimiser" in files:
        general = star.need_block(files["optimiser"], "optimiser_general")
        for role, column in (("model", "rlnModelStarFile"), ("data", "rlnExperimentalDataStarFile")):
            written = star.unquote(star.need_column(files["optimiser"], general, column)[0])
            found = [files[role]] if role in files else _elsewhere(path, written)
            if not found:
                raise InputError(path.with_name(Path(written).name), f"{role}.star", "no such file", REST)
            files[role] = found[0]
    if "model" not in files:
        raise InputError(path.with_name(f"{stem}model.star"), "model.star", "no such file", REST)
    if not files["averages"].exists():
        rows = _model(files["model"])[1]
        written = star.need_column(files["model"], rows, "rlnReferenceImage")[0].partition("@")[2]
        found = _elsewhere(path, written)
        if not found:
            raise InputError(files["averages"], "class averages", "no such file", REST)
        files["averages"] = found[0]
    return files


def _elsewhere(path: Path, written: str) -> list[Path]:
    """A file by its name beside `path`, or by its path from any folder above."""
    places = [path.with_name(Path(written).name), *(parent / written for parent in path.absolute().parents)]
    return [place for place in places if place.is_file()][:1]


def _model(path: Path) -> tuple[dict[str, str], star.Table]:
    """The general values and the rows of classes, sorted by class number, of a model.star."""
    general = {name: values[0] for name, values in star.need_block(path, "model_general").items()}
    if general.get("rlnReferenceDimensionality", "2") != "2":
        raise InputError(path, "_rlnReferenceDimensionality", "3", "give a 2D classification, not a 3D one")
    rows = star.need_block(path, "model_classes")
    names = star.need_column(path, rows, "rlnReferenceImage")
    numbers = [int(before) if before.isdigit() else 0 for before in (n.partition("@")[0] for n in names)]
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    rows = {column: [values[i] for i in order] for column, values in rows.items()}
    rows["number"] = [str(numbers[i]) for i in order]
    return general, rows


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
        values = np.array([float(v) for v in star.need_column(path, rows, column)])
    except ValueError as error:
        raise InputError(path, f"_{column}", str(error), star.OTHER) from None
    return np.where(np.isfinite(values), values, np.nan)


def _counts(table: ClassTable, classes: NDArray[np.int32], data: Path) -> NDArray[np.int64]:
    """Particles of each class, from the hard assignments."""
    numbers, counts = np.unique(classes, return_counts=True)
    for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
        if not 1 <= number <= len(table):
            found = f"class {number} in {count} rows, but there are {len(table)} classes"
            raise InputError(data, "_rlnClassNumber", found, "give files of one and the same iteration")
    return np.bincount(classes, minlength=len(table) + 1)[1:].astype(np.int64)


def _in_angstrom(table: ClassTable, rows: star.Table, pixel: float | None) -> ClassTable:
    """RELION before 3.1 wrote the accuracy of translations in pixels."""
    if "rlnAccuracyTranslations" not in rows or pixel is None:
        return table
    in_px = np.array([float(v) for v in rows["rlnAccuracyTranslations"]])
    return replace(table, accuracy_translation_angstrom=np.where(np.isfinite(in_px), in_px * pixel, np.nan))


def _optics_pixel(data: Path | None) -> float | None:
    optics = star.read_block(data, "optics") if data else None
    return _number(optics.get("rlnImagePixelSize")) if optics else None


def _number(value: str | list[str] | None) -> float | None:
    """A positive number, or None where nothing usable is written."""
    try:
        number = float(value[0] if isinstance(value, list) else value or "nan")
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None


def _name(path: Path) -> str:
    """`Class2D/job012` as RELION calls it, or the folder's name."""
    folder = path.absolute().parent
    in_project = folder.parent.name == "Class2D"
    return f"Class2D/{folder.name}" if in_project else folder.name
