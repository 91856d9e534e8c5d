"""STAR tables by RELION's rules: one way to see lines, rows and values, wherever a table is read or copied.

A table ends at a blank line, or where the next block begins. Blank lines and comments between the names of
the columns and the first row are passed over. A word that begins with `data_` inside a row is a value.
Source: RELION, `src/metadata_table.cpp` and `src/strings.cpp`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from cryofed.errors import InputError
from cryofed.jobs.reading import check_file

Table = dict[str, list[str]]  # column name without the underscore: values without quotes, one per row
Kind = Literal["blank", "comment", "block", "loop", "label", "row", "pair", "stray", "text"]
OTHER = "give the file that the 2D classification wrote"
LONGEST = 1 << 20  # bytes of a line
MOST_COLUMNS = 1000
MOST_VALUES = 20_000_000  # of a table that is read whole
_TOKEN = re.compile(rb"\"(.*?)\"(?=\s|$)|'(.*?)'(?=\s|$)|(#.*)|(\S+)")


class Line(NamedTuple):
    """One line and what it is. `stray` is a row behind the end of its table, `text` is of no meaning."""

    kind: Kind
    raw: bytes
    number: int  # from 1
    block: bytes  # the block's name
    width: int  # columns of the loop so far


class Readable(Protocol):
    """An open file, or what reads like one."""

    def readline(self, size: int = -1, /) -> bytes:
        """The next line, at most `size` bytes of it."""
        ...


def lines(path: Path, file: Readable) -> Iterator[Line]:
    """Every line from the file's beginning with its kind."""
    in_loop, in_rows, ended, gap = False, False, False, False
    block, width, number = b"", 0, 0
    while raw := file.readline(LONGEST):
        number += 1
        if len(raw) == LONGEST and not raw.endswith(b"\n"):
            raise InputError(path, f"line {number}", f"longer than {LONGEST >> 20} MiB", OTHER)
        text = raw.strip() if number > 1 else raw.removeprefix(b"\xef\xbb\xbf").strip()
        opens = _opens(text)
        kind: Kind
        if not text:
            kind, gap = "blank", True
            if in_rows:
                in_loop, in_rows, ended, width = False, False, True, 0
        elif text.startswith(b"#") or (text.startswith(b";") and not in_rows):
            kind = "comment"
        elif opens and not ((in_rows or (in_loop and width)) and width == 1 and not gap):
            kind = opens
            in_loop, in_rows, ended, gap, width = opens == "loop", False, False, False, 0
            block = text.split()[0][5:] if opens == "block" else block
        elif in_loop and not in_rows and text.startswith(b"_"):
            kind, width, gap = "label", width + 1, False
            if width > MOST_COLUMNS:
                raise InputError(path, f"line {number}", f"over {MOST_COLUMNS} columns", OTHER)
        elif in_loop and width:
            kind, in_rows = "row", True
        elif text.startswith(b"_"):
            kind = "pair"
        else:
            kind = "stray" if ended else "text"
        yield Line(kind, raw, number, block, width)


def values(path: Path, line: bytes, number: int) -> list[bytes]:
    """The values of a line: white space parts them, quotes hold it, and `#` begins a comment."""
    if b'"' not in line and b"'" not in line and b"#" not in line:
        return line.split()
    columns = []
    for match in _TOKEN.finditer(line.strip()):
        double, single, comment, plain = match.groups()
        if comment is not None:
            break
        if (double and b'"' in double) or (single and b"'" in single):
            raise InputError(path, f"line {number}", "a quote within quotes", OTHER)
        if plain is not None and plain[:1] in (b'"', b"'"):
            raise InputError(path, f"line {number}", "a quote that is not closed", OTHER)
        columns.append(next(part for part in (double, single, plain) if part is not None))
    return columns


def row_values(path: Path, line: Line) -> list[bytes]:
    """The values of a row, as many as there are columns."""
    row = values(path, line.raw, line.number)
    if len(row) == 1 and line.width == 2:
        row.append(b"")  # RELION reads and once wrote a name with nothing behind it
    if len(row) != line.width:
        raise InputError(path, f"line {line.number}", f"{len(row)} values for {line.width} columns", OTHER)
    return row


def refuse_stray(path: Path, line: Line) -> None:
    """Refuse a row that stands behind the end of its table: RELION would not read it."""
    if line.kind == "stray":
        found = "a row behind the blank line that ends its table"
        raise InputError(
            path, f"line {line.number}", found, "take out the blank line, or copy the file again"
        )


def label(line: Line) -> str:
    """The name of the column or pair that a line begins with, without the underscore."""
    return text(line.raw.split()[0][1:].partition(b"#")[0])


def read_block(path: Path, name: str) -> Table | None:
    """One block of a STAR file, None where the file has no such block; "" is the first block, as in RELION.

    A loop gives its columns, a list of pairs gives one row. Reading stops where the next block begins: a
    model.star has thousands of lines of spectra behind the table of classes.
    """
    check_file(path, "STAR file")
    table: Table | None = None
    columns: list[list[str]] = []
    wanted, held = name.encode(), 0
    with path.open("rb") as file:
        for line in lines(path, file):
            if line.kind == "block":
                if table is not None:
                    break
                table = {} if not name or line.block == wanted else None
            elif table is None or line.kind in ("blank", "comment", "text"):
                continue
            elif line.kind == "loop":
                columns = []
            elif line.kind == "label":
                columns.append(_new(path, table, line))
            elif line.kind == "row":
                for column, value in zip(columns, row_values(path, line), strict=True):
                    column.append(text(value))
                held += len(columns)
                if held > MOST_VALUES:
                    raise InputError(path, f"data_{name}", f"over {MOST_VALUES:,} values", OTHER)
            elif line.kind == "pair":
                rest = values(path, line.raw, line.number)[1:2]
                _new(path, table, line).append(text(rest[0]) if rest else "")
            refuse_stray(path, line)
    if table and len({len(column) for column in table.values()}) > 1:
        raise InputError(path, f"data_{name}", "a list and a loop in one block", OTHER)
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


def need_value(path: Path, table: Table, name: str) -> str:
    """The value of a list, or of the first row, which must be there."""
    column = need_column(path, table, name)
    if not column:
        raise InputError(path, f"_{name}", "no value", OTHER)
    return column[0]


def quoted(value: str) -> str:
    """A value as it is written: in quotes where it is empty, holds white space or begins like none."""
    if value and not re.search(r"\s", value) and value[0] not in "\"'#":
        return value
    return f'"{value}"' if '"' not in value else f"'{value}'"


def loop_text(name: str, columns: Mapping[str, Sequence[str]]) -> str:
    """One loop, laid out as RELION lays it out."""
    head = ["", "# version 30001", "", f"data_{name}", "", "loop_ "]
    head += [f"_{column} #{i} " for i, column in enumerate(columns, 1)]
    rows: Iterable[tuple[str, ...]] = zip(*columns.values(), strict=True)
    body = [" ".join(f"{quoted(value):>12}" for value in row) + " " for row in rows]
    return "\n".join([*head, *body, " ", ""])


def clean(line: Line) -> bytes:
    """A line as RELION reads it: no CR, nothing before a name or right behind it, no comment among rows."""
    if line.kind in ("blank", "row"):
        return line.raw.rstrip(b"\r\n") + b"\n"
    if line.kind == "comment" and line.width:
        return b""
    raw = line.raw.removeprefix(b"\xef\xbb\xbf").lstrip().rstrip(b"\r\n") + b"\n"
    if line.kind == "block":
        return raw if raw.split() == [raw.rstrip(b" \n")] else raw.split()[0] + b"\n"
    if line.kind == "label" and b"#" in raw.split()[0]:
        return raw.replace(b"#", b" #", 1)  # RELION takes away the letter before it
    return raw


def text(value: bytes) -> str:
    """A value as text; bytes that are no UTF-8 are kept and come back by `as_bytes`."""
    return value.decode("utf-8", "surrogateescape")


def as_bytes(value: str) -> bytes:
    """What `text` was made from."""
    return value.encode("utf-8", "surrogateescape")


def _opens(text: bytes) -> Literal["block", "loop"] | None:
    """Whether a line can begin a block or a loop: one word, and perhaps a comment."""
    if not text.startswith((b"data_", b"loop_")):
        return None
    behind = text.split(None, 1)[1:]
    if behind and not behind[0].startswith(b"#"):
        return None
    return "block" if text.startswith(b"data_") else "loop"


def _new(path: Path, table: Table, line: Line) -> list[str]:
    name = label(line)
    if name in table:
        raise InputError(path, f"line {line.number}", f"_{name} a second time", OTHER)
    table[name] = []
    return table[name]
