"""MRC stacks, read as RELION reads them: also with an odd machine stamp, or none.

Source: Cheng et al. 2015 (the MRC2014 header), IMOD's `mrc_format.html` (signed and unsigned bytes).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError
from cryofed.jobs.job import Images
from cryofed.jobs.reading import AGAIN, MOST_MAPPED, check_file, check_pixels

HEADER = 1024  # bytes
MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
TRANSFORMS = (3, 4)
LARGEST_BOX = 16_384  # pixels; the header of a file that is no MRC tells more
IMOD = 1146047817
VOLUMES = 401  # space group from which a file is a stack of volumes
SAMPLE = 8  # images looked at where the header does not tell the sign of bytes
Order = Literal["<", ">"]


@dataclass(frozen=True, slots=True)
class Header:
    """What the first 1024 bytes say: images, rows and columns, type of pixels, where they begin, Å."""

    shape: tuple[int, int, int]
    mode: int
    order: Order
    start: int
    pixel: float
    lowest: float
    highest: float
    signed: bool | None  # IMOD's word on bytes; None where it does not say


def read_mrc(path: Path) -> tuple[Images, float | None]:
    """The images `(n, y, x)` and the pixel size in Å, None where the header has none.

    Native float32 stays on disk as a read-only memory map; other pixels become float32 in memory. Bytes are
    signed or not as IMOD's stamp says, else as the header's minimum and maximum do, else as gives the
    smoother images.
    """
    check_file(path, "MRC file")
    size = path.stat().st_size
    with path.open("rb") as file:
        raw = file.read(HEADER)
    header = _header(path, raw)
    kind = np.dtype(f"{header.order}{MODES[header.mode]}")
    n, height, width = header.shape
    needed = header.start + n * height * width * kind.itemsize
    if needed > size:
        found = (
            f"{size:,} bytes, but its header tells {n:,} images of {width:,} × {height:,} ({needed:,} bytes)"
        )
        raise InputError(path, "MRC file", found, AGAIN)
    native = kind == np.dtype(np.float32)
    if native:
        check_pixels(path, header.shape, most=MOST_MAPPED)
    else:
        check_pixels(path, header.shape)
    try:
        pixels: NDArray[Any] = np.memmap(path, kind, "r", header.start, header.shape)
    except (ValueError, OSError) as error:
        raise InputError(path, "MRC file", str(error), AGAIN) from None
    if header.mode == 0 and not _signed(header, pixels):
        pixels = pixels.view("u1")
    images: Images = pixels if native else pixels.astype(np.float32)
    return images, header.pixel if 0 < header.pixel < 1e4 else None


def _header(path: Path, raw: bytes) -> Header:
    """The header in whichever byte order makes sense."""
    if len(raw) < HEADER:
        raise InputError(path, "MRC file", f"{len(raw)} bytes, less than a header", AGAIN)
    stamp = raw[212:214]
    orders: tuple[Order, ...] = (">", "<") if stamp == b"\x11\x11" else ("<", ">")
    fitting = [order for order in orders if _sensible(*struct.unpack(f"{order}4i", raw[:16]))]
    if not fitting:
        nx, ny, nz, mode = struct.unpack(f"{orders[0]}4i", raw[:16])
        sizes = all(0 < n <= LARGEST_BOX for n in (nx, ny)) and nz > 0
        if sizes and mode in TRANSFORMS:
            raise InputError(
                path, "MRC mode", f"{mode}, a transform", "give real images, not their transforms"
            )
        if sizes and 0 <= mode <= 101:
            raise InputError(path, "MRC mode", str(mode), "save the stack with 32-bit real pixels (mode 2)")
        found = f"no MRC header ({nx} × {ny} × {nz}, mode {mode})"
        raise InputError(path, "MRC file", found, AGAIN)
    order = fitting[0]
    nx, ny, nz, mode = struct.unpack(f"{order}4i", raw[:16])
    (space_group,) = struct.unpack(f"{order}i", raw[88:92])
    if VOLUMES <= space_group <= VOLUMES + 230:
        raise InputError(path, "MRC file", "a stack of volumes", "give a stack of images")
    grid, cell = struct.unpack(f"{order}3i", raw[28:40]), struct.unpack(f"{order}3f", raw[40:52])
    (extended,) = struct.unpack(f"{order}i", raw[92:96])
    lowest, highest = struct.unpack(f"{order}2f", raw[76:84])
    imod, flags = struct.unpack(f"{order}2i", raw[152:160])
    return Header(
        shape=(nz, ny, nx),
        mode=mode,
        order=order,
        start=HEADER + max(0, extended),
        pixel=cell[0] / grid[0] if grid[0] > 0 and np.isfinite(cell[0]) else 0.0,
        lowest=lowest,
        highest=highest,
        signed=bool(flags & 1) if imod == IMOD else None,
    )


def _sensible(nx: int, ny: int, nz: int, mode: int) -> bool:
    return 0 < nx <= LARGEST_BOX and 0 < ny <= LARGEST_BOX and nz > 0 and mode in MODES


def _signed(header: Header, pixels: NDArray[np.int8]) -> bool:
    """Whether bytes are signed, as the standard has it since 2014; older files and some programs differ."""
    if header.signed is not None:
        return header.signed
    if header.lowest < header.highest:
        if header.lowest < 0:
            return True
        if header.highest > 127:
            return False
    sample = pixels[:: max(1, len(pixels) // SAMPLE)][:SAMPLE]
    steps = [np.abs(np.diff(sample.view(kind).astype(np.int16), axis=2)).mean() for kind in ("i1", "u1")]
    return bool(steps[0] <= steps[1])
