"""Particle rows of a STAR file are copied as bytes, never formatted anew."""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError, OutputError
from cryofed.jobs.row_blocks import BLOCK
from cryofed.jobs.rows import ParticleRows, stamp_of


def write_particles(rows: ParticleRows, target: Path, keep: Collection[int]) -> int:
    """Write the rows whose class is in `keep`, in order and byte for byte; return how many.

    What is written is read again and counted. Where all rows are kept, the kernel copies the file: file
    systems that can share blocks then copy nothing.

    Raises:
        InputError: the file is no longer the one that was read.
        OutputError: what was written does not hold the rows that were kept.
    """
    kept = np.flatnonzero(np.isin(rows.classes, np.fromiter(keep, np.int64, len(keep))))
    with rows.path.open("rb") as source, target.open("wb") as out:
        if stamp_of(source) != rows.stamp:
            found = "not the rows that were there a moment ago"
            raise InputError(rows.path, "particles", found, "wait until the job has finished")
        if len(kept) == len(rows) and rows.plain and _copied(source, out, rows.stamp[0]):
            return len(kept)
        out.write(rows.head)
        for parts in _pieces(rows, kept, source):
            out.write(b"".join(parts))
        out.write(rows.tail)
    bytes_kept = int(rows.size[kept].sum()) if rows.plain else None
    _check_written(rows, target, len(kept), bytes_kept)
    return len(kept)


def _copied(source: BinaryIO, target: BinaryIO, size: int) -> bool:
    """Whether the kernel copied the whole file; not where it cannot, or where the last line has no end."""
    source.seek(size - 1)
    if source.read(1) != b"\n" or not hasattr(os, "copy_file_range"):
        return False
    at = 0
    try:
        while at < size and (done := os.copy_file_range(source.fileno(), target.fileno(), size - at, at, at)):
            at += done
    except OSError:
        at = 0
    if at < size:
        target.truncate(0)
    return at == size


def _pieces(
    rows: ParticleRows, kept: NDArray[np.int64], source: io.BufferedReader
) -> Iterator[list[bytes] | list[memoryview]]:
    """The kept rows, some of the file at a time; rows that stand side by side are one piece.

    What is given holds until the next is asked for: the memory is the same.
    """
    places, sizes = rows.first[kept], rows.size[kept]
    buffer = bytearray(2 * BLOCK)
    last = 0
    while last < len(kept):
        start = int(places[last])
        until = max(int(np.searchsorted(places, start + BLOCK, "right")), last + 1)
        first = places[last:until] - start
        ends = first + sizes[last:until]
        last = until
        source.seek(start)
        if len(buffer) < ends[-1]:
            buffer = bytearray(int(ends[-1]))
        held = memoryview(buffer)[: int(ends[-1])]
        if source.readinto(held) < len(held):
            raise InputError(
                rows.path, "particles", "cut while it was read", "wait until the job has finished"
            )
        if rows.plain:
            cut = np.flatnonzero(first[1:] != ends[:-1]) + 1
            begins = first[np.concatenate([[0], cut])].tolist()
            closes = ends[np.concatenate([cut - 1, [-1]])].tolist()
            pieces = [held[a:b] for a, b in zip(begins, closes, strict=True)]
            if held[closes[-1] - 1] != 10:
                pieces.append(memoryview(b"\n"))  # the very last row of a file may lack it
            yield pieces
        else:
            yield [
                bytes(held[a:b]).rstrip(b"\r\n") + b"\n"
                for a, b in zip(first.tolist(), ends.tolist(), strict=True)
            ]


def _check_written(rows: ParticleRows, target: Path, kept: int, size: int | None) -> None:
    """Read back and count: as many rows as were kept, and nothing lost around them."""
    with target.open("rb") as file:
        head = file.read(len(rows.head))
        lines = total = 0
        buffer = bytearray(BLOCK)
        while size_read := file.readinto(buffer):
            total += size_read
            lines += buffer.count(b"\n", 0, size_read)
    behind = rows.tail.count(b"\n")
    expected = None if size is None else size + len(rows.tail)
    if (
        head != rows.head
        or lines - behind != kept
        or (expected is not None and total - expected not in (0, 1))
    ):
        found = f"{lines - behind:,} rows were written, {kept:,} were to be kept"
        raise OutputError(target, "particles", found, "is the disk full or failing? write to another place")
