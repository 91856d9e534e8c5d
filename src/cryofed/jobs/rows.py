"""Particle rows of a large STAR file: counted by class and copied as bytes, never formatted anew.

Rows are read in small blocks. Where every row of a block has as many words as there are columns, NumPy
finds the class numbers; a block with quotes, comments, damage or the table's end is read row by row, as
`star` reads any other table.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError, OutputError
from cryofed.jobs import star
from cryofed.jobs.reading import check_file

BLOCK = 1 << 19  # bytes of rows held at a time; what NumPy makes of them stays in the cache
DIGITS = 9  # of a class number; more are no class
CLASS = b"rlnClassNumber"
PARTICLES = b"particles"  # the block that RELION reads since 3.1, wherever it stands
ODD = (b'"', b"'", b"#", b"\0")  # bytes for which every row is looked at
_WHOLE = re.compile(rb"\.0{0,9}$")  # a whole number as a table program writes it
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
        reader = _Reader(path, labels, number)
        classes: list[NDArray[np.int32]] = []
        sizes: list[NDArray[np.int32]] = []
        firsts: list[NDArray[np.int64]] = []
        file.seek(start)
        tail_at, at = start if empty else None, start
        for block, length in () if empty else _blocks(path, file):
            (found, first, size), ended = reader.block(block, length)
            classes.append(found)
            firsts.append(first + at)
            sizes.append(size)
            if ended is not None:
                tail_at = at + ended
                break
            at += length
        tail, clean_tail = _tail(path, file, tail_at, reader.number, block_name)
        stamp = _stamp(file)
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
        if _stamp(source) != rows.stamp:
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


Found = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]  # class, place and length of rows


class _Reader:
    """Finds the class, place and length of every row of a block of whole lines."""

    def __init__(self, path: Path, labels: list[bytes], number: int) -> None:
        self.path, self.width, self.field = path, len(labels), labels.index(CLASS)
        self.number = number  # of the line before the next block
        self.plain = True

    def block(self, block: bytearray, length: int) -> tuple[Found, int | None]:
        """Classes, places and lengths of the rows, and where the table ends in this block, if it does."""
        odd = any(block.find(mark, 0, length) >= 0 for mark in ODD)
        read = None if odd else self._fast(np.frombuffer(block, np.uint8, length))
        if read is None:
            return self._slow(bytes(block[:length]))
        self.number += len(read[0])
        self.plain &= block.find(b"\r", 0, length) < 0
        return read, None

    def _fast(self, block: NDArray[np.uint8]) -> Found | None:
        """The same where every line is a row of plain words; None where one is not."""
        width = self.width
        ends = np.flatnonzero(block == 10)
        ink = block > 32
        words = np.flatnonzero(ink[1:] > ink[:-1]) + 1
        if ink[0]:
            words = np.concatenate([[0], words])
        n = len(ends)
        if not n or len(words) != n * width:
            return None
        table = words.reshape(n, width)
        if (table[:, -1] > ends).any() or (table[1:, 0] < ends[:-1]).any():
            return None  # one row has a word too few, another one too many
        classes = _numbers(block, table[:, self.field])
        first = np.concatenate([[0], ends[:-1] + 1])
        return None if classes is None else (classes, first, (ends + 1 - first).astype(np.int32))

    def _slow(self, block: bytes) -> tuple[Found, int | None]:
        classes: list[int] = []
        first: list[int] = []
        size: list[int] = []
        at = 0
        for raw in io.BytesIO(block):
            text = raw.strip()
            self.number += 1
            if not text or (text.startswith((b"data_", b"loop_")) and self._ends(text)):
                self.number -= 1
                return _found(classes, first, size), at
            if text.startswith(b"#"):
                self.plain = False  # RELION takes it for a row
            else:
                line = star.Line("row", raw, self.number, b"", self.width)
                value = star.row_values(self.path, line)[self.field]
                classes.append(self._number(value))
                first.append(at)
                size.append(len(raw))
                self.plain &= b"\r" not in raw
            at += len(raw)
        return _found(classes, first, size), None

    def _ends(self, text: bytes) -> bool:
        return self.width > 1 and len(star.values(self.path, text, self.number)) == 1

    def _number(self, word: bytes) -> int:
        word = _WHOLE.sub(b"", word)
        digits = word[1:] if word[:1] in b"+-" else word
        if not digits.isdigit() or len(digits) > DIGITS:
            found = f"{star.text(word[:40])!r} where a whole number belongs"
            raise InputError(self.path, f"line {self.number}, _rlnClassNumber", found, star.OTHER)
        return int(word)


def _found(classes: list[int], first: list[int], size: list[int]) -> Found:
    return np.array(classes, np.int32), np.array(first, np.int64), np.array(size, np.int32)


def _numbers(block: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.int32] | None:
    """The whole numbers without a sign that begin at these places; None where there is another word."""
    result = np.zeros(len(at), np.int32)
    live = np.ones(len(at), bool)
    for i in range(DIGITS):
        letter = block[np.minimum(at + i, len(block) - 1)]
        digit = (letter >= 48) & (letter < 58)
        if (live & ~digit & (letter > 32)).any():
            return None
        live &= digit
        if not live.any():
            return result if i else None
        result = np.where(live, result * 10 + (letter - np.uint8(48)), result).astype(np.int32)
    return None


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


def _blocks(path: Path, file: io.BufferedReader) -> Iterator[tuple[bytearray, int]]:
    """Whole lines, about `BLOCK` bytes at a time: a buffer, and how many of its bytes they are.

    The buffer is the same each time: memory that is asked for anew costs more than reading into it.
    """
    buffer, held = bytearray(BLOCK), 0  # bytes at its beginning, of a line that has not ended yet
    while read := file.readinto(memoryview(buffer)[held:]):
        end = held + read
        cut = buffer.rfind(b"\n", held, end) + 1
        if cut:
            yield buffer, cut
            rest = buffer[cut:end]
            held = len(rest)
            buffer[:held] = rest
            continue
        held = end
        if held >= max(BLOCK, star.LONGEST):
            raise InputError(path, "particle row", f"longer than {star.LONGEST >> 20} MiB", star.OTHER)
        if held == len(buffer):
            buffer = buffer + bytes(len(buffer))
    if held:
        yield buffer, held


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


def _stamp(file: BinaryIO) -> tuple[int, int]:
    state = os.fstat(file.fileno())
    return state.st_size, state.st_mtime_ns
