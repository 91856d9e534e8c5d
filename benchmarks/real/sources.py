"""Every set's source, grid and labels, read from the two tables beside this file."""

from __future__ import annotations

import csv
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SOURCES, LABELS = (Path(__file__).with_name(name) for name in ("sources.toml", "labels.tsv"))
LABELLED_BY = {
    "authors": "the authors' own selection",
    "tutorial": "the tutorial author's selection",
    "graders": "grades of CryoSift's labellers, A to C kept",
    "program and reader": "RELION's class ranker, where one reader agrees",
    "one reader": "one reader, by eye",
    "demonstration": "ticks in a screenshot",
}
GREY = {
    "job": "one for the job",
    "class": "each class its own",
    "written": "as written",
    "unknown": "unknown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A file of a public repository, or a picture attached to a cell of a notebook there.

    `commit` is what the grid was measured on; `branch` is where to look should that commit be gone. `sha256`
    is of the picture's bytes.
    """

    repository: str  # owner/name
    branch: str
    commit: str
    path: str
    sha256: str
    cell: int | None = None  # index of the notebook's cell, from 0
    attachment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Rows `top` to `bottom` and columns `left` to `right` of a tile; `tiles` from 1, empty: all."""

    top: int
    bottom: int
    left: int
    right: int
    tiles: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Where the averages lie in a picture, in its pixels; sources.toml says what each number is."""

    tile: int
    box: int
    places: tuple[tuple[int, int], ...]  # (x, y) of every tile in reading order
    border: int = 0
    nearest: int = 0
    coloured_above: int | None = None
    coloured: tuple[Area, ...] = ()
    refill: tuple[Area, ...] = ()
    corner_is_zero: bool = True
    luma: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One set: one classification, or several of one sample in one picture.

    Sets of one `molecule` are left out together. `training`: may be trained on. `pixels` is the SHA-256 of
    the averages as little-endian float16 in class order. `picture` is None where `not_rebuilt` says why the
    set cannot be built from its source by a command.
    """

    name: str
    molecule: str
    sample: str
    program: str
    repository: str
    labelled_by: str
    grey: str
    licence: str
    training: bool
    demonstration: bool
    negative_stain: bool
    classes: int
    pixels: str
    pixel_size_angstrom: float | None
    picture: Picture | None
    grid: Grid | None
    not_rebuilt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The classes of one set in class order.

    `tile` `(n,)` is each class's number in the picture's reading order, 0 where unknown; `good` and
    `counted` `(n,)`: a class that nobody can settle is not counted.
    """

    tile: NDArray[np.int64]
    good: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    note: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.good)


@functools.cache
def sources() -> tuple[Source, ...]:
    """Every set in the order of sources.toml."""
    return tuple(_source(row) for row in tomllib.loads(SOURCES.read_text(encoding="utf-8"))["set"])


@functools.cache
def labels() -> Mapping[str, Labels]:
    """The labels of every set by its name."""
    with LABELS.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return {source.name: _labels([r for r in rows if r["set"] == source.name]) for source in sources()}


def _source(row: Mapping[str, Any]) -> Source:
    told = dict(row)
    where, grid = told.pop("source"), told.pop("grid", None)
    return Source(
        repository=where["repository"],
        pixel_size_angstrom=told.pop("pixel_size_angstrom", None),
        picture=Picture(**where) if "path" in where else None,
        grid=_grid(grid) if grid else None,
        not_rebuilt=told.pop("not_rebuilt", ""),
        **told,
    )


def _grid(told: Mapping[str, Any]) -> Grid:
    coloured = told.get("coloured", {})
    whole = [[0, told["tile"], 0, told["tile"]]]
    return Grid(
        tile=told["tile"],
        box=told["box"],
        places=tuple((x, y) for panel in told["panels"] for y in panel["ys"] for x in panel["xs"]),
        border=told.get("border", 0),
        nearest=told.get("nearest", 0),
        coloured_above=coloured.get("above"),
        coloured=tuple(_area(area) for area in coloured.get("areas", whole)) if coloured else (),
        refill=tuple(_area(one["area"], one.get("tiles", ())) for one in told.get("refill", ())),
        corner_is_zero=told.get("level", "corner") == "corner",
        luma=told.get("grey") == "luma",
    )


def _area(edges: list[int], tiles: tuple[int, ...] | list[int] = ()) -> Area:
    top, bottom, left, right = edges
    return Area(top=top, bottom=bottom, left=left, right=right, tiles=frozenset(tiles))


def _labels(rows: list[dict[str, str]]) -> Labels:
    return Labels(
        tile=np.array([int(row["tile"] or 0) for row in rows]),
        good=np.array([row["label"] == "1" for row in rows]),
        counted=np.array([row["label"] != "" for row in rows]),
        note=tuple(row["note"] for row in rows),
    )
