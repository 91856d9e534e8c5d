"""Plain stacks of class averages: MRC, EMAN2's HDF, TIFF, a folder of PNG."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob, ClassTable, Images
from cryofed.jobs.mrc import AGAIN, check_file, read_mrc

Stack = tuple[Images, float | None, list[int] | None]  # averages, pixel size in Å, particles of each


def open_images(path: Path) -> ClassJob:
    """Averages without a table of classes; numbered from 1 in the order of the stack, or of file names."""
    averages, pixel, particles = readers()[path.suffix.lower() if path.is_file() else ".png"](path)
    table = ClassTable.unknown(len(averages))
    if particles is not None:
        table = replace(table, particles=np.array(particles, np.int64))
    return ClassJob(
        program="images",
        path=path,
        name=path.stem,
        averages=averages,
        classes=table,
        pixel_size_angstrom=pixel,
        files={"averages": path},
    )


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
        key=lambda file: [int(w) if w.isdigit() else w for w in re.split(r"(\d+)", file.name.lower())],
    )


def _read_hdf(path: Path) -> Stack:
    """EMAN2's layout: `/MDF/images/<n>/image`, with the header as attributes of `<n>`."""
    import h5py

    check_file(path, "HDF5 file")
    try:
        with h5py.File(path, "r") as file:
            group = file.get("MDF/images")
            if group is None:
                raise InputError(path, "/MDF/images", "no such group", "give a stack in EMAN2's layout")
            names = sorted((n for n in group if n.isdigit()), key=int)
            if not names:
                raise InputError(path, "/MDF/images", "no image", AGAIN)
            images = [np.asarray(group[n]["image"], np.float32) for n in names]
            if len(images) == 1 and images[0].ndim == 3:
                images = list(images[0])
            header = [dict(group[n].attrs) for n in names]
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise InputError(path, "HDF5 file", str(error).splitlines()[0], AGAIN) from None
    pixel = float(header[0].get("EMAN.apix_x", 0))
    counts = [int(h["EMAN.ptcl_repr"]) for h in header if "EMAN.ptcl_repr" in h]
    return (
        _same_size(path, images),
        pixel if pixel > 0 else None,
        counts if len(counts) == len(images) else None,
    )


def _read_tiff(path: Path) -> Images:
    import tifffile

    check_file(path, "TIFF file")
    try:
        data = np.asarray(tifffile.imread(path))
    except (ValueError, OSError, KeyError, IndexError, tifffile.TiffFileError) as error:
        raise InputError(path, "TIFF file", str(error).splitlines()[0], AGAIN) from None
    if data.ndim not in (2, 3) or data.dtype.kind not in "iuf":
        raise InputError(path, "TIFF file", f"{data.dtype} {data.shape}", "give a stack of grey images")
    return (data[None] if data.ndim == 2 else data).astype(np.float32)


def _read_png(path: Path) -> Images:
    from PIL import Image, UnidentifiedImageError

    images = []
    for file in png_files(path) if path.is_dir() else [path]:
        check_file(file, "PNG file")
        try:
            with Image.open(file) as picture:
                deep = picture.mode.startswith(("I", "F"))
                images.append(np.asarray(picture if deep else picture.convert("L"), np.float32))
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
            raise InputError(file, "PNG file", str(error).splitlines()[0], AGAIN) from None
    if not images:
        raise InputError(path, "folder", "no .png", "give a folder of class averages")
    return _same_size(path, images)


def _same_size(path: Path, images: list[Images]) -> Images:
    for number, image in enumerate(images, 1):
        if image.shape != images[0].shape or image.ndim != 2:
            found = f"image {number} is {image.shape}, image 1 is {images[0].shape}"
            raise InputError(path, "image size", found, "give averages of one size")
    return np.stack(images)
