"""CryoSPARC 3, 4 and 5: a 2D Classification job folder becomes a `ClassJob`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.jobs.mrc import check_file, read_mrc

# J12_020_class_averages.cs; version 2 and 3 also write cryosparc_P3_J12_020_class_averages.cs
NAME = re.compile(r"(?P<root>.*J\d+)(?:_(?P<iteration>\d+))?_class_averages")
CLASS = "alignments2D/class"
OTHER = "give the job folder of a CryoSPARC 2D Classification (versions 3 to 5)"

Rows = NDArray[Any]  # a structured array: one row per particle or class, fields as CryoSPARC names them


def find_iterations(folder: Path) -> list[Path]:
    """The `_class_averages.cs` of the last iteration of every CryoSPARC classification in a folder."""
    last: dict[str, tuple[int, str, Path]] = {}
    for file in folder.glob("*_class_averages.cs"):
        match = NAME.fullmatch(file.stem)
        root = match["root"] if match else file.stem
        found = (int((match and match["iteration"]) or -1), file.name, file)
        last[root] = max(last.get(root, found), found)
    return [file for _, _, file in last.values()]


def read_cs(path: Path) -> Rows:
    """A `.cs` dataset: a NumPy structured array, read without pickle, as a read-only memory map."""
    check_file(path, "CryoSPARC dataset")
    with path.open("rb") as file:
        magic = file.read(6)
    if magic == b"\x95CSDAT":
        raise InputError(
            path, "format", "a compressed stream", "save it again as a NumPy .cs with cryosparc-tools"
        )
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(path, "CryoSPARC dataset", str(error).splitlines()[0].rstrip("."), OTHER) from None
    if rows.dtype.names is None or rows.ndim != 1:
        raise InputError(path, "CryoSPARC dataset", f"an array of {rows.dtype}, not a table", OTHER)
    return rows  # type: ignore[no-any-return]  # np.load tells no type


def need_field(path: Path, rows: Rows, name: str) -> NDArray[Any]:
    """One field, which must be there."""
    if name not in (rows.dtype.names or ()):
        fields = ", ".join((rows.dtype.names or ())[:4])
        raise InputError(path, name, f"no such field (found {fields}, …)", OTHER)
    return rows[name]


def open_cryosparc(path: Path) -> ClassJob:
    """Read the job of a `_class_averages.cs`.

    A class is known by `blob/idx`, its image's place in the `.mrc` from 0; particles name it in
    `alignments2D/class`. Rows may stand in another order. Our class number is that index plus 1.
    """
    stem = path.stem.removesuffix("_class_averages")
    particles = _one(path, [f"{stem}_particles.cs", f"{re.sub('_[0-9]+$', '', stem)}_particles.cs"])
    rows = read_cs(path)
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
    if passthrough := sorted(path.parent.glob("*passthrough_particles.cs")):
        files["passthrough"] = passthrough[-1]
    pixel = (
        float(rows["blob/psize_A"][0])
        if "blob/psize_A" in (rows.dtype.names or ()) and len(rows)
        else header_pixel
    )
    return ClassJob(
        program="cryosparc",
        path=path,
        name=path.absolute().parent.name,
        # all images in order: the memory map itself; else only those that are classes
        averages=averages if len(numbers) == len(averages) else averages[numbers],
        classes=_classes(rows[order], numbers + 1, assigned),
        particle_classes=assigned,
        pixel_size_angstrom=pixel if pixel and pixel > 0 else None,
        mask_diameter_angstrom=_mask_diameter(path.parent / "job.json"),
        files=files,
    )


def _assigned(particles: Path, index: NDArray[np.int64]) -> NDArray[np.int32]:
    """The class number, from 1, of every particle."""
    assigned = need_field(particles, read_cs(particles), CLASS).astype(np.int32)
    strange = assigned[~np.isin(assigned, index)]
    if len(strange):
        found = f"class {strange[0]} (from 0), which is none of the {len(index)} averages"
        raise InputError(particles, CLASS, found, "give files of one and the same iteration")
    return assigned + 1


def _classes(rows: Rows, number: NDArray[np.int64], assigned: NDArray[np.int32]) -> ClassTable:
    counts = np.bincount(assigned, minlength=int(number.max(initial=0)) + 1)[number]
    resolution = (
        rows["blob/res_A"].astype(float)
        if "blob/res_A" in (rows.dtype.names or ())
        else np.full(len(rows), np.nan)
    )
    unknown = np.full(len(number), np.nan)
    return ClassTable(
        number=number,
        particles=counts.astype(np.int64),
        resolution_angstrom=np.where(np.isfinite(resolution) & (resolution > 0), resolution, np.nan),
        distribution=counts / max(counts.sum(), 1),
        accuracy_rotation_degree=unknown,
        accuracy_translation_angstrom=unknown,
    )


def _one(path: Path, names: list[str]) -> Path:
    for name in names:
        if path.with_name(name).exists():
            return path.with_name(name)
    raise InputError(path.with_name(names[0]), "particles", "no such file", "copy the whole job folder")


def _written_stack(path: Path, rows: Rows) -> Path:
    """The stack by the name that the dataset gives, beside it."""
    written = need_field(path, rows, "blob/path")
    text = bytes(written[0]).decode() if len(written) and written.dtype.kind == "S" else path.stem + ".mrc"
    return path.with_name(Path(text).name)


def _mask_diameter(job_file: Path) -> float | None:
    """The inner window that the user typed, in Å; None for CryoSPARC's default, a share of the box."""
    import json

    try:
        job = json.loads(job_file.read_text())
        typed = job["params_spec"] if "params_spec" in job else job["spec"]["params"]  # to version 4; 5
        value = typed["class2D_window_inner_A"]
        return float(value["value"] if isinstance(value, dict) else value)
    except (OSError, ValueError, KeyError, TypeError):
        return None
