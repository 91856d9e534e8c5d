"""CryoSPARC 3, 4 and 5, and Live: the folder of a 2D Classification becomes a `ClassJob`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.jobs.mrc import read_mrc
from cryofed.jobs.programs import Start
from cryofed.jobs.reading import AGAIN, check_file, first_line, read_json, translated

# J12_020_class_averages.cs; version 2 and 3 also write cryosparc_P3_J12_020_class_averages.cs
NAME = re.compile(r"(?P<root>.*J\d+)(?:_(?P<iteration>\d{1,9}))?_class_averages")
CLASS = "alignments2D/class"
ESS = "alignments2D/class_ess"
OTHER = "give the job folder of a CryoSPARC 2D Classification (versions 3 to 5)"
NO_DATASET = "not a CryoSPARC dataset"
LARGEST_HEADER = 1 << 20  # bytes; the names of some thousand fields
MOST_ROWS = 100_000_000

Rows = NDArray[Any]  # a structured array: one row per particle or class, fields as CryoSPARC names them


def starts(path: Path) -> Path | None:
    """The `_class_averages.cs` that a file is, or that lies beside its averages."""
    if path.suffix == ".cs":
        return path if path.stem.endswith("_class_averages") else None
    beside = path.with_suffix(".cs")
    return beside if NAME.fullmatch(path.stem) and beside.is_file() else None


def find(folder: Path) -> list[Start]:
    """The `_class_averages.cs` of the last whole iteration of every CryoSPARC classification in a folder."""
    roots: dict[str, list[tuple[int, str, Path]]] = {}
    for file in folder.glob("*_class_averages.cs"):
        if file.name[0] != ".":
            match = NAME.fullmatch(file.stem)
            iteration = int(match["iteration"]) if match and match["iteration"] else -1
            roots.setdefault(match["root"] if match else file.stem, []).append((iteration, file.name, file))
    candidates = []
    for iterations in roots.values():
        files = [file for _, _, file in sorted(iterations)]
        whole = [f for f in files if particles_of(f) is not None and f.with_suffix(".mrc").exists()]
        chosen = (whole or files)[-1]
        newer = files[-1].stem.removesuffix("_class_averages")
        note = "" if chosen == files[-1] else f"read {chosen.stem}: the files of {newer} are not whole"
        candidates.append(Start(chosen, note))
    return candidates


def own_folder(job: ClassJob) -> Path | None:
    """The job's folder."""
    return job.files["templates"].absolute().parent


def particles_of(path: Path) -> Path | None:
    """The particles of a `_class_averages.cs`."""
    stem = path.stem.removesuffix("_class_averages")
    names = [f"{stem}_particles.cs", f"{re.sub('_[0-9]+$', '', stem)}_particles.cs"]
    return next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)


def read_cs(path: Path) -> Rows:
    """A `.cs` dataset: a NumPy structured array, read without pickle, as a read-only memory map."""
    check_file(path, "CryoSPARC dataset")
    with path.open("rb") as file:
        magic = file.read(6)
        if magic == b"\x95CSDAT":
            remedy = "save it again as a NumPy .cs with cryosparc-tools"
            raise InputError(path, "format", "a compressed stream", remedy)
        if magic != b"\x93NUMPY":
            raise InputError(path, "format", NO_DATASET, AGAIN)
        shape, kind = _header(path, file)
        start, size = file.tell(), path.stat().st_size
    if kind.hasobject:
        raise InputError(path, "format", f"{NO_DATASET}: it holds program objects", AGAIN)
    if kind.names is None or len(shape) != 1:
        raise InputError(path, "CryoSPARC dataset", f"an array of {str(kind)[:60]}, not a table", OTHER)
    if start + shape[0] * kind.itemsize > size:
        found = f"{size:,} bytes, but its header tells {shape[0]:,} rows of {kind.itemsize:,}"
        raise InputError(path, "CryoSPARC dataset", found, AGAIN)
    if shape[0] > MOST_ROWS:
        raise InputError(path, "CryoSPARC dataset", f"{shape[0]:,} rows", f"give at most {MOST_ROWS:,}")
    if not shape[0] or not kind.itemsize:
        return np.zeros(0, kind)
    with translated(path, "CryoSPARC dataset"):
        rows: Rows = np.memmap(path, kind, "r", start, (shape[0],))
    return rows


def _header(path: Path, file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the rows; NumPy's own bound on headers is 10 kB, CryoSPARC's can be longer."""
    file.seek(0)
    try:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version[0]}.{version[1]} of the format")
        with translated(path, "format"):
            shape, fortran, kind = read(file, max_header_size=LARGEST_HEADER)
        if fortran or any(n < 0 for n in shape):
            raise ValueError("rows in an order that CryoSPARC does not write")
    except InputError as error:
        raise InputError(path, "format", f"{NO_DATASET} ({error.args[2][:60]})", AGAIN) from None
    except (ValueError, EOFError, OSError) as error:
        raise InputError(path, "format", f"{NO_DATASET} ({first_line(error)[:60]})", AGAIN) from None
    return shape, kind


def need_field(path: Path, rows: Rows, name: str) -> NDArray[Any]:
    """One field, which must be there and hold one whole number or text a row."""
    if name not in (rows.dtype.names or ()):
        fields = ", ".join((rows.dtype.names or ())[:4])
        raise InputError(path, name, f"no such field (found {fields[:80]}, …)", OTHER)
    field = rows[name]
    if field.ndim != 1 or field.dtype.kind not in ("S" if name.endswith("/path") else "iu"):
        raise InputError(path, name, f"values of type {rows.dtype[name]}", OTHER)
    return field


def open_job(path: Path) -> ClassJob:
    """Read the job of a `_class_averages.cs`.

    A class is known by `blob/idx`, its image's place in the `.mrc` from 0; particles name it in
    `alignments2D/class`. Rows may stand in another order. Our class number is that index plus 1.
    """
    stem = path.stem.removesuffix("_class_averages")
    rows = read_cs(path)
    particles = particles_of(path)
    if particles is None:
        missing = path.with_name(f"{stem}_particles.cs")
        raise InputError(missing, "particles", "no such file", "copy the whole job folder")
    index = need_field(path, rows, "blob/idx").astype(np.int64)
    order = np.argsort(index, kind="stable")
    stack = path.with_suffix(".mrc")
    averages, header_pixel = read_mrc(stack if stack.exists() else _written_stack(path, rows))
    if len(np.unique(index)) != len(index) or (
        len(index) and not 0 <= index.min() <= index.max() < len(averages)
    ):
        found = f"{len(rows)} classes, numbers up to {index.max(initial=-1) + 1}, for {len(averages)} images"
        raise InputError(path, "blob/idx", found, "give files of one and the same iteration")
    numbers = index[order]
    assigned = _assigned(particles, numbers)
    files = {"templates": path, "particles": particles, "averages": stack}
    if passthrough := sorted(p for p in path.parent.glob("*passthrough_particles.cs") if p.name[0] != "."):
        files["passthrough"] = passthrough[-1]
    notes: tuple[str, ...] = ()
    if "passthrough" not in files and "blob/path" not in (read_cs(particles).dtype.names or ()):
        notes = ("no passthrough dataset: CryoSPARC cannot continue; copy the whole job folder",)
    pixel = _floats(rows, "blob/psize_A")
    return ClassJob(
        program="cryosparc",
        path=path,
        name=path.absolute().parent.name,
        # all images in order: the memory map itself; else only those that are classes
        averages=averages if len(numbers) == len(averages) else averages[numbers],
        classes=_classes(rows[order], numbers + 1, assigned),
        class_ess=_mean_ess(_floats(read_cs(particles), ESS), numbers + 1, assigned),
        particle_classes=assigned,
        pixel_size_angstrom=float(pixel[0]) if len(pixel) and 0 < pixel[0] < 1e4 else header_pixel,
        mask_diameter_angstrom=_mask_diameter(path.parent / "job.json"),
        read=stem,
        notes=notes,
        files=files,
    )


def _assigned(particles: Path, index: NDArray[np.int64]) -> NDArray[np.int32]:
    """The class number, from 1, of every particle."""
    assigned = need_field(particles, read_cs(particles), CLASS).astype(np.int64)
    strange = assigned[~np.isin(assigned, index)]
    if len(strange):
        found = f"class {strange[0]} (from 0), which is none of the {len(index)} averages"
        raise InputError(particles, CLASS, found, "give files of one and the same iteration")
    return (assigned + 1).astype(np.int32)


def _classes(rows: Rows, number: NDArray[np.int64], assigned: NDArray[np.int32]) -> ClassTable:
    counts = np.bincount(assigned, minlength=int(number.max(initial=0)) + 1)[number]
    resolution = _floats(rows, "blob/res_A")
    unknown = np.full(len(number), np.nan)
    return ClassTable(
        number=number,
        particles=counts.astype(np.int64),
        resolution_angstrom=np.where(np.isfinite(resolution) & (resolution > 0), resolution, np.nan),
        distribution=counts / max(counts.sum(), 1),
        accuracy_rotation_degree=unknown,
        accuracy_translation_angstrom=unknown,
    )


def _mean_ess(
    ess: NDArray[np.float64], number: NDArray[np.int64], assigned: NDArray[np.int32]
) -> NDArray[np.float64] | None:
    """The mean over the particles of every class, NaN where it has none; None where nothing was recorded."""
    if not len(ess) or not np.isfinite(ess).all():
        return None
    most = int(number.max(initial=0)) + 1
    total, count = np.bincount(assigned, ess, most)[number], np.bincount(assigned, minlength=most)[number]
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _floats(rows: Rows, name: str) -> NDArray[np.float64]:
    """A field of one number a row; NaN where there is none."""
    if name not in (rows.dtype.names or ()) or rows[name].ndim != 1 or rows[name].dtype.kind not in "fiu":
        return np.full(len(rows), np.nan)
    result: NDArray[np.float64] = rows[name].astype(np.float64)
    return result


def _written_stack(path: Path, rows: Rows) -> Path:
    """The stack by the name that the dataset gives, beside it."""
    written = need_field(path, rows, "blob/path")
    name = Path(bytes(written[0]).decode("utf-8", "replace")).name if len(written) else ""
    return path.with_name(name.replace("\0", "") or f"{path.stem}.mrc")


def _mask_diameter(job_file: Path) -> float | None:
    """The inner window that the user typed, in Å; None for CryoSPARC's default, a share of the box."""
    try:
        job = read_json(job_file)
        typed = job["params_spec"] if "params_spec" in job else job["spec"]["params"]  # to version 4; 5
        value = typed["class2D_window_inner_A"]
        diameter = float(value["value"] if isinstance(value, dict) else value)
    except (InputError, OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return diameter if 0 < diameter < float("inf") else None
