"""Rows of a STAR table by the block: where each stands, and its class number.

Where every row of a block has as many words as there are columns, NumPy finds the class numbers; a block
with quotes, comments, damage or the table's end is read row by row, as `star` reads any other table.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError
from cryofed.jobs import star

BLOCK = 1 << 19  # bytes of rows held at a time; what NumPy makes of them stays in the cache
DIGITS = 9  # of a class number; more are no class
CLASS = b"rlnClassNumber"
ODD = (b'"', b"'", b"#", b"\0")  # bytes for which every row is looked at
_WHOLE = re.compile(rb"\.0{0,9}$")  # a whole number as a table program writes it

Found = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]  # class, place and length of rows


class RowReader:
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


def blocks_of(path: Path, file: io.BufferedReader) -> Iterator[tuple[bytearray, int]]:
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
