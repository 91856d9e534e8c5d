"""STAR tables: small ones through gemmi, particle rows as raw bytes that are never re-formatted."""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from shutil import copyfileobj
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError
from cryofed.jobs.mrc import check_file

Table = dict[str, list[str]]  # column name without the underscore: values as written, one per row
CHUNK = 4 << 20  # bytes of rows held at a time
QUOTED = re.compile(rb"\"[^\"]*\"(?=\s|$)|'[^']*'(?=\s|$)|\S+")
OTHER = "give the file that the 2D classification wrote"


def read_block(path: Path, name: str) -> Table | None:
    """One block of a STAR file, None where the file has no such block.

    A loop gives its columns, a list of pairs gives one row. Only the block itself is parsed: a model.star
    has thousands of lines of spectra behind the table of classes.
    """
    import gemmi

    lines = _block_lines(path, f"data_{name}".encode())
    if lines is None:
        return None
    try:
        block = gemmi.cif.read_string(b"".join(lines).decode("utf-8", "replace")).sole_block()
    except (ValueError, RuntimeError) as error:
        raise InputError(path, f"data_{name}", str(error).splitlines()[0], OTHER) from None
    table: Table = {}
    for item in block:
        pair: Any = item.pair
        if pair is not None:
            table[pair[0].lstrip("_")] = [pair[1]]
        elif item.loop is not None:
            width = item.loop.width()
            for i, tag in enumerate(item.loop.tags):
                table[tag.lstrip("_")] = list(item.loop.values[i::width])
    return table


def need_block(path: Path, name: str) -> Table:
    """One block, which must be there."""
    table = read_block(path, name)
    if table is None:
        raise InputError(path, f"data_{name}", "no such block", OTHER)
    return table


def need_column(path: Path, table: Table, name: str) -> list[str]:
    """One column, which must be there."""
    if name not in table:
        raise InputError(path, f"_{name}", "no such column", OTHER)
    return table[name]


def unquote(value: str) -> str:
    """A value without the quotes that STAR puts around an empty one or one with spaces."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticleRows:
    """Where the particle rows of a STAR file are, and which of their fields is the class number.

    `head` is everything before the first row, optics table included, byte for byte.
    """

    path: Path
    head: bytes
    field: int  # from 0
    width: int  # fields of a row


def find_particles(path: Path) -> ParticleRows:
    """Find the loop with `_rlnClassNumber`: `data_particles` since RELION 3.1, `data_` or other before."""
    check_file(path, "STAR file")
    head: list[bytes] = []
    columns: list[bytes] = []
    in_loop = False
    with path.open("rb") as file:
        for line in file:
            word = line.strip()
            if word.startswith((b"data_", b"loop_")):
                columns, in_loop = [], word.startswith(b"loop_")
            elif in_loop and word.startswith(b"_"):
                columns.append(word.split()[0])
            elif in_loop and b"_rlnClassNumber" in columns:
                break  # the first row, or the blank line that ends an empty table
            head.append(line)
    if b"_rlnClassNumber" not in columns:
        raise InputError(path, "_rlnClassNumber", "no such column", OTHER)
    field = columns.index(b"_rlnClassNumber")
    return ParticleRows(path=path, head=b"".join(head), field=field, width=len(columns))


def read_classes(rows: ParticleRows) -> NDArray[np.int32]:
    """The class number of every particle row, in order: hard assignments, one pass, a few MB of memory."""
    spelled = _Spelled()
    numbers = array("i")  # 4 bytes each
    for _, words, _ in _chunks(rows):
        numbers.extend(map(spelled.__getitem__, words))
    return np.frombuffer(numbers, np.int32) if numbers else np.zeros(0, np.int32)


def filter_particles(
    rows: ParticleRows, target: Path, keep: Collection[int], classes: NDArray[np.int32] | None = None
) -> int:
    """Write the rows whose class is in `keep`, in order and byte for byte; return how many.

    What stands before and behind the rows is copied as it is. `classes`, if known already, is what
    `read_classes` found in the same file; then no row is split again.
    """
    written, end = 0, len(rows.head)
    parts = _kept_by_word(rows, keep) if classes is None else _kept_by_number(rows, keep, classes)
    with target.open("wb") as out, rows.path.open("rb") as source:
        out.write(rows.head)
        for kept, end in parts:  # noqa: B007  (the last end is where the tail begins)
            written += len(kept)
            if kept and not kept[-1].endswith(b"\n"):
                kept[-1] += b"\n"  # the very last row of a file may lack it
            out.write(b"".join(kept))
        source.seek(end)
        copyfileobj(source, out, CHUNK)
    return written


def _kept_by_word(rows: ParticleRows, keep: Collection[int]) -> Iterator[tuple[list[bytes], int]]:
    """The kept ones of some MB of rows, and the byte where these rows end."""
    spelled, wanted = _Spelled(), frozenset(keep)
    for lines, words, end in _chunks(rows):
        yield list(compress(lines, map(wanted.__contains__, map(spelled.__getitem__, words)))), end


def _kept_by_number(
    rows: ParticleRows, keep: Collection[int], classes: NDArray[np.int32]
) -> Iterator[tuple[list[bytes], int]]:
    """The same where the class of every row is known."""
    kept = np.isin(classes, list(keep)).tolist()
    done, end, last = 0, len(rows.head), b"-"
    with rows.path.open("rb") as file:
        file.seek(end)
        while done < len(kept) and (lines := file.readlines(CHUNK)):
            behind = lines[len(kept) - done :]
            end = file.tell() - sum(map(len, behind))
            yield list(compress(lines, kept[done : done + len(lines)])), end
            done += len(lines) - len(behind)
            last = lines[-len(behind) - 1]
        file.seek(end)
        if done < len(kept) or _ends(last) or not _ends(file.readline()):
            found = "not the rows that were there a moment ago"
            raise InputError(rows.path, "particles", found, "wait until the job has finished")


class _Spelled(dict[bytes, int]):
    """The number that a word stands for; each spelling is parsed once."""

    def __missing__(self, word: bytes) -> int:
        number = self[word] = int(word)
        return number


def _chunks(rows: ParticleRows) -> Iterator[tuple[list[bytes], list[bytes], int]]:
    """Some MB of rows, their class numbers as written, and the byte where these rows end."""
    end = len(rows.head)
    known: set[bytes] = set()
    with rows.path.open("rb") as file:
        file.seek(end)
        while lines := file.readlines(CHUNK):
            size = len(lines)
            while lines and not lines[-1].strip():
                lines.pop()  # blank: the end of the table
            words = _class_numbers(rows, lines) if lines else []
            if words is None or not all(map(_is_number, set(words) - known)):
                # The end of the table is among them, or quotes, or damage.
                lines = lines[: next((i for i, line in enumerate(lines) if _ends(line)), size)]
                words = _checked_numbers(rows, lines)
            known.update(words)
            at_end = len(lines) < size
            end = end + sum(map(len, lines)) if at_end else file.tell()
            yield lines, words, end
            if at_end:
                return


def _class_numbers(rows: ParticleRows, lines: list[bytes]) -> list[bytes] | None:
    """The class number, as written, of every row; None where every row must be looked at.

    Rows are split from the nearer end: RELION writes the class near the end of a row, and `rsplit` from
    there was the fastest of all ways tried.
    """
    behind = rows.width - 1 - rows.field
    sample, last = lines[0].split(), lines[-1].split()
    if len(sample) != rows.width or len(last) != rows.width:
        return None  # the end of the table, a file cut short, or quotes
    passed = sample[rows.field :] if behind < rows.field else sample[: rows.field]
    if not all(map(_is_plain, passed)) and any(b'"' in line or b"'" in line for line in lines):
        return None  # values on the way may hold spaces
    try:
        if behind < rows.field:
            return [line.rsplit(None, behind + 1)[-behind - 1] for line in lines]
        return [line.split(None, rows.field + 1)[rows.field] for line in lines]
    except IndexError:
        return None


def _checked_numbers(rows: ParticleRows, lines: list[bytes]) -> list[bytes]:
    """The same the slow way, every row split whole and checked."""
    numbers = []
    for line in lines:
        fields = line.split() if b'"' not in line and b"'" not in line else QUOTED.findall(line)
        if len(fields) != rows.width:
            found = f"{len(fields)} values for {rows.width} columns"
            raise InputError(rows.path, "particle row", found, OTHER)
        if not _is_number(fields[rows.field]):
            found = f"{fields[rows.field][:40].decode('utf-8', 'replace')!r} where a whole number belongs"
            raise InputError(rows.path, "_rlnClassNumber", found, OTHER)
        numbers.append(fields[rows.field])
    return numbers


def _is_number(word: bytes) -> bool:
    return word.isdigit() or (word[:1] in b"+-" and word[1:].isdigit())


def _is_plain(word: bytes) -> bool:
    """Whether a field is a number, and so of a column that is never quoted."""
    return word.lstrip(b"+-")[:1].isdigit() and not set(word) - set(b"0123456789+-.eE")


def _ends(line: bytes) -> bool:
    return not line.strip() or line.startswith((b"data_", b"loop_", b"#"))


def _block_lines(path: Path, name: bytes) -> list[bytes] | None:
    """The lines of one block; reading stops where the next one begins."""
    check_file(path, "STAR file")
    lines: list[bytes] | None = None
    with path.open("rb") as file:
        for line in file:
            if line.startswith(b"data_"):
                if lines is not None:
                    break
                if line.strip() == name:
                    lines = []
            if lines is not None:
                lines.append(line)
    return lines
