"""MRC stacks as read-only memory maps (mrcfile reads the header)."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from cryofed.errors import InputError
from cryofed.jobs.job import Images

AGAIN = "copy the file again, or give another one"


def read_mrc(path: Path) -> tuple[Images, float | None]:
    """The images `(n, y, x)` and the pixel size in Å, None where the header has none.

    Native float32 stays on disk as a read-only memory map; integers, float16 and big-endian files become
    float32 in memory.
    """
    import mrcfile

    check_file(path, "MRC file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a few bytes more than the header tells are harmless
            opened = mrcfile.mmap(path, mode="r")
    except (ValueError, OSError, OverflowError, MemoryError) as error:
        raise InputError(path, "MRC file", str(error).rstrip("."), AGAIN) from None
    data, pixel = opened.data, float(opened.voxel_size.x)
    opened.close()
    if data.dtype.kind not in "iuf":
        raise InputError(path, "MRC mode", f"{data.dtype} pixels", "give real images, not their transforms")
    if data.ndim not in (2, 3):
        raise InputError(path, "MRC file", f"{data.ndim} dimensions", "give a stack of images")
    stack = data[None] if data.ndim == 2 else data
    return stack.astype(np.float32, copy=False), pixel if pixel > 0 else None


def check_file(path: Path, what: str) -> None:
    """Refuse a missing, empty or unreadable file before a library sees it."""
    try:
        if not path.is_file():
            found = "a folder" if path.is_dir() else "no such file"
            raise InputError(path, what, found, "give the folder or file of a finished 2D classification")
        if path.stat().st_size == 0:
            raise InputError(path, what, "0 bytes", AGAIN)
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(path, what, error.strerror or str(error), "ask for the right to read it") from None
