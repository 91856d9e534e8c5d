"""Plain stacks of class averages: MRC, EMAN2's HDF, TIFF, a folder of PNG."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob, ClassTable, Images
from cryofed.jobs.mrc import read_mrc
from cryofed.jobs.programs import Start
from cryofed.jobs.reading import AGAIN, MOST_IMAGES, check_file, check_pixels, translated

GREY = "iuf"  # kinds of NumPy's types that are grey values


def starts(path: Path) -> Path | None:
    """The file itself where its ending is one of a stack."""
    return path if path.suffix.lower() in readers() else None


def find(folder: Path) -> list[Start]:
    """The one stack of a folder, or the folder itself where it holds PNG; nothing where a job lies there.

    Raises:
        InputError: several stacks, of which one must be named.
    """
    from cryofed.jobs.programs import TABLE

    others = [entry for entry in TABLE if entry.name != "images"]
    if any(entry.reader.find(folder) for entry in others):
        return []
    if png_files(folder):
        return [Start(folder)]
    endings = set(readers()) - {".png"}
    stacks = [f for f in sorted(folder.iterdir()) if f.suffix.lower() in endings and f.name[0] != "."]
    if len(stacks) > 1:
        found = f"{len(stacks)} stacks, no table of classes"
        remedy = f"give one of them, as {stacks[0].name}, or a RELION or CryoSPARC 2D job folder"
        raise InputError(folder, "folder", found, remedy)
    for stack in stacks:
        check_file(stack, "stack")
    return [Start(stack) for stack in stacks]


def open_job(path: Path) -> ClassJob:
    """Averages without a table of classes; numbered from 1 in the order of the stack, or of file names.

    EMAN2's stacks keep the numbers of their images, from 0, and so may lack some.
    """
    averages, pixel, table = readers()[path.suffix.lower() if path.is_file() else ".png"](path)
    return ClassJob(
        program="images",
        path=path,
        name=path.stem,
        averages=averages,
        classes=table or ClassTable.unknown(len(averages)),
        pixel_size_angstrom=pixel,
        read=path.name,
        files={"averages": path},
    )


def own_folder(job: ClassJob) -> Path | None:
    """A folder of PNG; None for a stack that lies among other files."""
    averages = job.files["averages"].absolute()
    return averages if averages.is_dir() else None


Stack = tuple[Images, float | None, ClassTable | None]  # averages, pixel size in Å, what is known of classes


def readers() -> dict[str, Callable[[Path], Stack]]:
    """How each kind of stack is read, by file ending."""
    mrc = [".mrc", ".mrcs", ".st", ".map"]
    return {
        **dict.fromkeys(mrc, lambda path: (*read_mrc(path), None)),
        **dict.fromkeys([".hdf", ".hdf5", ".h5"], _read_hdf),
        **dict.fromkeys([".tif", ".tiff"], lambda path: (_read_tiff(path), None, None)),
        ".png": lambda path: (_read_png(path), None, None),
    }


def png_files(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order: class 2 before class 10."""
    return sorted(
        (
            file
            for file in folder.iterdir()
            if file.suffix.lower() == ".png" and not file.name.startswith(".")
        ),
        key=lambda file: [
            int(w) if w.isdigit() else w for w in re.split(r"([0-9]{1,18})", file.name.lower())
        ],
    )


def _read_hdf(path: Path) -> Stack:
    """EMAN2's layout: `/MDF/images/<n>/image`, with the header as attributes of `<n>`.

    Class `n` of EMAN2, from 0, is class number `n + 1`. Links and external storage point out of the file
    and are refused.
    """
    import h5py

    check_file(path, "HDF5 file")
    with translated(path, "HDF5 file"), h5py.File(path, "r") as file:
        group = _inside(path, file, "MDF", "images")
        names = [n for n in group if n.isascii() and n.isdigit() and len(n) < 10]
        check_pixels(path, (len(names), 1, 1))
        names = sorted((n for n in names if _holds_image(group, n)), key=int)
        if not names:
            raise InputError(path, "/MDF/images", "no image", AGAIN)
        held = [_inside(path, group, n, "image") for n in names]
        shapes = [
            _shape(path, n, one, isinstance(one, h5py.Dataset)) for n, one in zip(names, held, strict=True)
        ]
        check_pixels(path, (len(shapes), 1, max(map(math.prod, shapes))))
        images = [np.asarray(one[()], np.float32) for one in held]
        pixel = _attribute(group[names[0]], "EMAN.apix_x")
        counts = [_attribute(group[n], "EMAN.ptcl_repr") for n in names]
        particles = [round(c) for c in counts if 0 <= c < 1 << 40]
    numbers = [int(n) + 1 for n in names]
    if len(images) == 1 and images[0].ndim == 3:
        images, numbers, particles = list(images[0]), list(range(1, len(images[0]) + 1)), []
    averages = _same_size(path, images)
    table = replace(ClassTable.unknown(len(averages)), number=np.array(numbers, np.int64))
    if len(particles) == len(averages):
        table = replace(table, particles=np.array(particles, np.int64))
    return averages, pixel if 0 < pixel < 1e4 else None, table


def _inside(path: Path, group: Any, *names: str) -> Any:
    """A member of an HDF5 file that lies in the file itself."""
    for name in names:
        link = group.get(name, getlink=True) if hasattr(group, "get") else None
        if link is None:
            raise InputError(path, f"/{name}", "not there", "give a stack in EMAN2's layout")
        if type(link).__name__ != "HardLink":
            raise InputError(path, f"/{name}", "a link to another place", "give a file that holds its images")
        group = group[name]
    return group


def _holds_image(group: Any, name: str) -> bool:
    """Whether there is a picture of this number; EMAN2 leaves headers of images that were taken out."""
    inside = type(group.get(name, getlink=True)).__name__ == "HardLink"
    return not inside or not hasattr(group[name], "keys") or "image" in group[name]


def _attribute(group: Any, name: str) -> float:
    """A number of an image's header; NaN where there is none."""
    try:
        return float(group.attrs[name])
    except (KeyError, ValueError, TypeError, OSError):
        return math.nan


def _shape(path: Path, name: str, one: Any, is_array: bool) -> tuple[int, ...]:
    """The shape of one image, which must be grey values of 2 or 3 dimensions in the file itself."""
    if not is_array:
        raise InputError(path, f"/MDF/images/{name}/image", "no array", AGAIN)
    if one.external or one.is_virtual:
        raise InputError(path, f"image {name}", "kept in another file", "give a file that holds its images")
    if one.dtype.kind not in GREY or len(one.shape) not in (2, 3):
        raise InputError(path, f"image {name}", f"{one.dtype} {one.shape}", "give grey images")
    shape: tuple[int, ...] = one.shape
    return shape


def _read_tiff(path: Path) -> Images:
    """All pages of one size; a stack in one page (ImageJ) counts as its images."""
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what is wrong is said here, in one line
    check_file(path, "TIFF file")
    with (
        translated(path, "TIFF file", f"{AGAIN}, saved without compression"),
        tifffile.TiffFile(path) as file,
    ):
        pages = file.series if len(file.series) < 2 else list(file.pages)
        if len(pages) > MOST_IMAGES:
            raise InputError(path, "TIFF file", f"{len(pages):,} pages", "give class averages, not particles")
        shapes = [tuple(page.shape) for page in pages]
        if not pages or any(
            len(s) not in (2, 3) or page.dtype is None or page.dtype.kind not in GREY
            for s, page in zip(shapes, pages, strict=True)
        ):
            found = f"{pages[0].dtype} {shapes[0]}" if pages else "no page"
            raise InputError(path, "TIFF file", found, "give a stack of grey images")
        if len(pages) > 1 and len(set(shapes)) > 1:
            found = f"pages of {shapes[0]} and of {next(s for s in shapes if s != shapes[0])} pixels"
            raise InputError(path, "image size", found, "give averages of one size")
        check_pixels(path, (len(pages), 1, math.prod(map(int, shapes[0]))))
        images = [np.asarray(page.asarray(), np.float32) for page in pages]
    data = images[0] if len(images) == 1 else np.stack(images)
    data = data[None] if data.ndim == 2 else data
    if data.ndim != 3:
        raise InputError(path, "TIFF file", f"{data.ndim} dimensions", "give a stack of grey images")
    return data


def _read_png(path: Path) -> Images:
    from PIL import Image

    files = png_files(path) if path.is_dir() else [path]
    images: list[Images] = []
    for file in files:
        check_file(file, "PNG file")
        with translated(file, "PNG file"), Image.open(file, formats=["PNG"]) as picture:
            check_pixels(file, (len(files), *picture.size))
            deep = picture.mode.startswith(("I", "F"))
            images.append(np.asarray(picture if deep else picture.convert("L"), np.float32))
    if not images:
        raise InputError(path, "folder", "no .png", "give a folder of class averages")
    return _same_size(path, images)


def _same_size(path: Path, images: list[Images]) -> Images:
    for number, image in enumerate(images, 1):
        if image.shape != images[0].shape or image.ndim != 2:
            found = f"image {number} is {image.shape}, image 1 is {images[0].shape}"
            raise InputError(path, "image size", found, "give averages of one size")
    return np.stack(images)
