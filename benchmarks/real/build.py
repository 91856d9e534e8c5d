"""Build the sets from their public sources: `NAME.mrcs` and `NAME.tsv` in one folder."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from benchmarks.real.pictures import HOST, read_picture
from benchmarks.real.sources import Labels, Source, labels, sources
from benchmarks.real.tiles import cut, decode
from cryofed.errors import InputError, OutputError
from cryofed.jobs.mrc import read_mrc

CLONES = "repositories"  # beside the sets, where no mirror is given


@dataclass(frozen=True, slots=True)
class Built:
    """What became of one set: written with or without the same pixels as ours, or why not."""

    name: str
    same_pixels: bool = False
    skipped: str = ""


def build(out: Path, mirror: Path | None = None, names: frozenset[str] = frozenset()) -> Iterator[Built]:
    """Write every set (or those of `names`) into the folder `out`, one by one.

    `mirror`: a folder of bare clones `OWNER+NAME`; nothing is fetched then. Without it each repository is
    fetched, without its other files, into `out/repositories`, where a second run finds it.

    Raises:
        OutputError: the folder cannot be written.
    """
    clones, host = (out / CLONES, HOST) if mirror is None else (mirror, None)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(out, "folder", error.strerror or str(error), "give another --out") from None
    for source in sources():
        if names and source.name not in names:
            continue
        if source.picture is None:
            yield Built(source.name, skipped=f"{source.repository}: {source.not_rebuilt}")
            continue
        try:
            averages = averages_of(source, labels()[source.name], read_picture(source.picture, clones, host))
        except InputError as error:
            yield Built(source.name, skipped=str(error))
            continue
        _write(out, source, labels()[source.name], averages)
        yield Built(source.name, same_pixels=checksum(averages) == source.pixels)


def averages_of(source: Source, of: Labels, data: bytes) -> NDArray[np.float16]:
    """The averages `(n, box, box)` in class order, the brightest pixel of the set at 1."""
    try:
        tiles = cut(decode(data), source.grid, len(of)) if source.grid else _stack(data)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        found = str(error).splitlines()[0]
        raise InputError(source.repository, source.name, found, "fetch the picture again") from None
    tiles = tiles[of.tile - 1]
    return np.asarray(tiles / np.abs(tiles).max(), np.float16)


def checksum(averages: NDArray[np.generic]) -> str:
    """SHA-256 of the averages as little-endian float16."""
    return hashlib.sha256(np.ascontiguousarray(averages, "<f2").tobytes()).hexdigest()


def _stack(data: bytes) -> NDArray[np.float32]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stack.mrcs"
        path.write_bytes(data)
        return np.array(read_mrc(path)[0])


def _write(out: Path, source: Source, of: Labels, averages: NDArray[np.float16]) -> None:
    """Both files or none: the stack is complete before either has its name."""
    stack, table = (out / f".{source.name}.unfinished{ending}" for ending in (".mrcs", ".tsv"))
    try:
        with mrcfile.new(stack, overwrite=True) as file:
            file.set_data(averages)
            file.set_image_stack()
            if source.pixel_size_angstrom:
                file.voxel_size = source.pixel_size_angstrom
        rows = zip(of.good, of.counted, strict=True)
        lines = [f"{n}\t{int(good) if counted else ''}\n" for n, (good, counted) in enumerate(rows, 1)]
        table.write_text("class_number\tlabel\n" + "".join(lines))
        table.replace(out / f"{source.name}.tsv")
        stack.replace(out / f"{source.name}.mrcs")
    except OSError as error:
        raise OutputError(
            out, "folder", error.strerror or str(error), "make room, or give another --out"
        ) from None
