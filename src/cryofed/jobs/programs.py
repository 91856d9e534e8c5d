"""The table of programs whose 2D classifications are read.

A new program is one new file and one entry here. The file is a module with `starts`, `find`, `open_job` and
`own_folder` (`Reader`); a program that can continue from files of its own has a module that writes them
(`Writer`), and without one the kept averages are written as a stack with a table of classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from cryofed.errors import InputError

if TYPE_CHECKING:
    from cryofed.jobs.job import ClassJob


class Start(NamedTuple):
    """The file to start from of one classification, and what a person must know of the choice."""

    file: Path
    note: str = ""


class Reader(Protocol):
    """What a program's file in `jobs/` holds."""

    def starts(self, path: Path) -> Path | None:
        """The file that `open_job` takes for this one; None where it tells no classes of this program.

        Raises:
            InputError: it is this program's, but must be converted first; the message says how.
        """
        ...

    def find(self, folder: Path) -> Sequence[Start]:
        """The last whole iteration of every classification that lies right in a folder."""
        ...

    def open_job(self, path: Path) -> ClassJob:
        """Read what `starts` or `find` gave."""
        ...

    def own_folder(self, job: ClassJob) -> Path | None:
        """The folder that belongs to the job, into which nothing is written; None for a file among others."""
        ...


class Writer(Protocol):
    """What a program's file in `selection/` holds."""

    FILES: Sequence[str]  # that `write` makes

    def write(self, job: ClassJob, selection: Any, folder: Path, final: Path) -> None:
        """Write a `Selection` into `folder`, which will be called `final`."""
        ...

    def next_steps(self, job: ClassJob, final: Path) -> Sequence[tuple[str, str]]:
        """How the program goes on from what lies in `final`: what to do, and the text to copy for it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program: its name in tables and files, its words for people, and its two modules."""

    name: str
    words: str
    reads: str
    writes: str = "cryofed.selection.images"

    @property
    def reader(self) -> Reader:
        """Its module in `jobs/`."""
        return cast(Reader, import_module(self.reads))

    @property
    def writer(self) -> Writer:
        """Its module in `selection/`."""
        return cast(Writer, import_module(self.writes))


# In the order in which they are asked; plain stacks are what is left.
TABLE: list[Program] = [
    Program(name="relion", words="RELION", reads="cryofed.jobs.relion", writes="cryofed.selection.relion"),
    Program(
        name="cryosparc",
        words="CryoSPARC",
        reads="cryofed.jobs.cryosparc",
        writes="cryofed.selection.cryosparc",
    ),
    Program(name="cistem", words="cisTEM", reads="cryofed.jobs.cistem"),
    Program(name="simple", words="SIMPLE", reads="cryofed.jobs.simple"),
    Program(name="eman2", words="EMAN2", reads="cryofed.jobs.eman2"),
    Program(name="images", words="image stack", reads="cryofed.jobs.images"),
]


def program(name: str) -> Program:
    """The entry of this name."""
    for entry in TABLE:
        if entry.name == name:
            return entry
    raise InputError(name, "program", "not known", f"use one of {', '.join(entry.name for entry in TABLE)}")


def found_in(folder: Path) -> list[tuple[Program, Start]]:
    """Every classification that lies right in a folder, of whatever program."""
    return [(entry, start) for entry in TABLE for start in entry.reader.find(folder)]
