"""The particle table of a large STAR file: each row's place and class, and what stands around the rows."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError
from cryofed.jobs import star
from cryofed.jobs.reading import check_file
from cryofed.jobs.row_blocks import CLASS, RowReader, blocks_of

PARTICLES = b"particles"  # the block that RELION reads since 3.1, wherever it stands
MOST_AROUND = 64 << 20  # bytes before the rows, and behind them


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticleRows:
    """The particle table of a STAR file.

    `head` and `tail` are what stands before and behind the rows, as RELION reads it. `classes` `(n,)` is the
    class number of every row, `first` and `size` `(n,)` its place and length in bytes. `plain`: the rows
    stand one behind the other, each with its own LF, and the rest of the file is as RELION reads it. `ended`:
    nothing tells that the file was cut (RELION ends a table with a blank line).
    """

    path: Path
    head: bytes
    tail: bytes
    classes: NDArray[np.int32]
    first: NDArray[np.int64]
    size: NDArray[np.int32]
    plain: bool
    ended: bool
    stamp: tuple[int, int]  # bytes and time of change of the file that was read

    def __len__(self) -> int:
        return len(self.classes)


def read_particles(path: Path) -> ParticleRows:
    """Read the loop with `_rlnClassNumber`: that of `data_particles` since RELION 3.1, the first one before.

    Raises:
        InputError: no such loop, a label or `data_particles` twice, a row with more or fewer values than
            columns, a class that is no whole number, or rows behind the blank line that ends the table.
    """
    check_file(path, "STAR file")
    try:
        return _read(path, None)
    except _LaterError:
        return _read(path, PARTICLES)


class _LaterError(Exception):
    """The first table with class numbers is not that of the particles, which stands behind it."""


def _read(path: Path, wanted: bytes | None) -> ParticleRows:
    """The table of a block, or the first one with class numbers.

    Raises:
        _LaterError: the first one is of another block than `data_particles`, which follows.
    """
    with path.open("rb") as file:
        head, labels, number, start, plain, empty, block_name = _head(path, file, wanted)
        reader = RowReader(path, labels, number)
        classes: list[NDArray[np.int32]] = []
        sizes: list[NDArray[np.int32]] = []
        firsts: list[NDArray[np.int64]] = []
        file.seek(start)
        tail_at, at = start if empty else None, start
        for block, length in () if empty else blocks_of(path, file):
            (found, first, size), ended = reader.block(block, length)
            classes.append(found)
            firsts.append(first + at)
            sizes.append(size)
            if ended is not None:
                tail_at = at + ended
                break
            at += length
        tail, clean_tail = _tail(path, file, tail_at, reader.number, block_name)
        stamp = stamp_of(file)
        file.seek(stamp[0] - 1)
        last = file.read(1)
    return ParticleRows(
        path=path,
        head=head,
        tail=tail,
        classes=np.concatenate(classes) if classes else np.zeros(0, np.int32),
        first=np.concatenate(firsts) if firsts else np.zeros(0, np.int64),
        size=np.concatenate(sizes) if sizes else np.zeros(0, np.int32),
        plain=plain and reader.plain and clean_tail,
        ended=tail_at is not None or (b"\n# version " not in head and last == b"\n"),
        stamp=stamp,
    )


def _head(
    path: Path, file: BinaryIO, wanted: bytes | None
) -> tuple[bytes, list[bytes], int, int, bool, bool, bytes]:
    """What stands before the rows, the columns, and the lines and bytes of that; whether the head is as
    RELION reads it; whether there is no row; and the name of the block."""
    labels: list[bytes] = []
    around = _Around(path)
    start = number = 0
    kind: star.Kind = "text"
    name = b""
    for line in star.lines(path, file):
        kind = line.kind
        if (
            CLASS in labels
            and (wanted is None or name == wanted)
            and kind not in ("label", "comment", "blank")
        ):
            break  # the first row, or what stands behind an empty table
        if kind == "row":
            if name == PARTICLES and CLASS not in labels:
                raise InputError(path, "_rlnClassNumber", "no such column in data_particles", star.OTHER)
            star.row_values(path, line)
        elif kind in ("block", "loop"):
            labels, name = [], line.block
        elif kind == "label":
            labels.append(star.as_bytes(star.label(line)))
            if labels[-1] in labels[:-1]:
                found = f"_{star.label(line)} a second time"
                raise InputError(path, f"line {line.number}", found, star.OTHER)
        around.add(line)
        start += len(line.raw)
        number = line.number
    if CLASS not in labels or (wanted is not None and name != wanted):
        raise InputError(path, "_rlnClassNumber", "no such column", star.OTHER)
    return b"".join(around.lines), labels, number, start, around.plain, kind != "row", name


class _Around:
    """Lines before or behind the rows, as RELION reads them, and whether they stood like that."""

    def __init__(self, path: Path, *, in_rows: bool = False) -> None:
        self.path, self.lines, self.plain, self.in_rows, self.size = path, [b""], True, in_rows, 0

    def add(self, line: star.Line) -> None:
        star.refuse_stray(self.path, line)
        if self.in_rows and line.kind in ("block", "loop"):
            self.lines.append(b"\n")  # RELION ends a table at a blank line only
            self.plain = False
        if line.kind != "comment":
            self.in_rows = line.kind == "row"
        self.lines.append(star.clean(line))
        self.plain &= self.lines[-1] == line.raw
        self.size += len(line.raw)
        if self.size > MOST_AROUND:
            found = f"over {MOST_AROUND >> 20} MiB beside the particles"
            raise InputError(self.path, "particles", found, star.OTHER)


def _tail(path: Path, file: BinaryIO, at: int | None, number: int, block: bytes) -> tuple[bytes, bool]:
    """What stands behind the table of `block`, as RELION reads it, and whether it stood like that."""
    around = _Around(path, in_rows=True)
    if at is not None:
        file.seek(at)
        # The end of the table is for `star.lines` the end of a table of one row, so that it tells strays.
        before = b"loop_\n_a\n_b\na b\n"
        for line in star.lines(path, _Joined(before, file)):
            if line.kind == "block" and line.block == PARTICLES:
                if block != PARTICLES:
                    raise _LaterError
                raise InputError(path, "data_particles", "a second such block", star.OTHER)
            if line.number > before.count(b"\n"):
                around.add(line._replace(number=line.number - before.count(b"\n") + number))
    return b"".join(around.lines), around.plain


class _Joined:
    """Some lines, and then the rest of a file."""

    def __init__(self, before: bytes, file: BinaryIO) -> None:
        self.before, self.file = io.BytesIO(before), file

    def readline(self, size: int = -1, /) -> bytes:
        """The next line."""
        return self.before.readline(size) or self.file.readline(size)


def stamp_of(file: BinaryIO) -> tuple[int, int]:
    """Bytes and time of change of an open file."""
    state = os.fstat(file.fileno())
    return state.st_size, state.st_mtime_ns
