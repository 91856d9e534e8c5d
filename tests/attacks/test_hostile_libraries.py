"""A library that somebody crafted, or a disk damaged: read, or refused in one line, and never run."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cryofed.cli.main import main
from cryofed.errors import CryoFedError
from cryofed.federation.site.answering import LibraryFile
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.library import upkeep
from cryofed.library.labels import Labelling
from cryofed.library.store import Library

Craft = Callable[[Path], object]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One job of six classes, labelled twice."""
    path = tmp_path_factory.mktemp("library") / "site.db"
    averages = np.random.default_rng(0).normal(size=(6, 48, 48)).astype(np.float32)
    job = ClassJob(program="images", path=path, name="job", averages=averages, classes=ClassTable.unknown(6))
    said = [
        Labelling(
            habit=habit,
            source="test",
            made_at="2026-01-01T00:00:00+00:00",
            values=np.array([0, 1, 1, 0, 1, 1], np.float32),
            reasons=np.array([1, -1, -1, 0, -1, -1], np.int8),
        )
        for habit in ("binary", "relion-colour")
    ]
    with Library(path, create=True) as made:
        made.add(job, "project", said)
    return path


def sql(*statements: str) -> Craft:
    """Statements of somebody who may write into the file."""

    def craft(path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("foreign_keys = OFF", "ignore_check_constraints = ON", "writable_schema = ON"):
            connection.execute(f"PRAGMA {pragma}")
        for statement in statements:
            connection.execute(statement)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    return craft


def bent(place: float, value: bytes = b"\xff" * 64) -> Craft:
    """Other bytes at this share of the file."""

    def craft(path: Path) -> None:
        content = bytearray(path.read_bytes())
        at = int(place * len(content))
        content[at : at + len(value)] = value
        path.write_bytes(content[: path.stat().st_size])

    return craft


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


TRIGGER = "CREATE TRIGGER {} AFTER {} BEGIN DELETE FROM labellings; END"
# What must be refused before anything of it is used: the file's own program, or other tables.
PROGRAMS: dict[str, Craft] = {
    "a trigger on labels": sql(TRIGGER.format("t", "INSERT ON labellings")),
    "a trigger on projects": sql(TRIGGER.format("t", "UPDATE ON projects")),
    "a trigger with SQLite's prefix": sql(
        TRIGGER.format("t", "UPDATE ON projects"),
        "UPDATE sqlite_schema SET name = 'sqlite_t' WHERE name = 't'",
    ),
    "a view for a table": sql(
        "ALTER TABLE labellings RENAME TO kept", "CREATE VIEW labellings AS SELECT * FROM kept, kept AS b"
    ),
    "a view without end": sql(
        "DROP TABLE labellings",
        "CREATE VIEW labellings AS WITH RECURSIVE r(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM r) "
        "SELECT id, 1 job, '' habit, '' source, '' made_at, 0 review, 1.0 job_score, x'' labels, x'' reasons "
        "FROM r",
    ),
    "one more table": sql("CREATE TABLE more (x)"),
    "one more index": sql("CREATE INDEX more ON jobs (length(images))"),
    "a virtual table": sql("CREATE VIRTUAL TABLE more USING fts5(x)"),
    "a lost table": sql("DROP TABLE pictures"),
    "a lost column": sql("ALTER TABLE jobs DROP COLUMN box"),
    "a column of one's own": sql("ALTER TABLE jobs ADD COLUMN g AS (abs(n))"),
    "tables of another version": sql("PRAGMA user_version = 1"),
    "a schema of rubbish": sql("UPDATE sqlite_schema SET sql = 'CREATE TABLE ((((' WHERE name = 'jobs'"),
    "a later version": sql("PRAGMA user_version = 900"),
    "a version below nought": sql("PRAGMA user_version = -7"),
    "another program's file": sql("PRAGMA application_id = 1"),
    "no number of a program": sql("PRAGMA application_id = 0"),
    "empty": lambda path: path.write_bytes(b""),
    "of zeros": lambda path: path.write_bytes(b"\0" * 9000),
    "text": lambda path: path.write_text("good\n" * 1000),
    "no header": bent(0.0),
    "a folder": folder,
    "a loop of links": lambda path: (path.unlink(), path.symlink_to(path)),
}
# Content that does not fit: each way of reading gives what is there, or one line.
CONTENT: dict[str, Craft] = {
    "classes as text": sql("UPDATE jobs SET classes = 'classes'"),
    "classes a number": sql("UPDATE jobs SET classes = 1000000000"),
    "classes cut": sql("UPDATE jobs SET classes = substr(classes, 1, 100)"),
    "classes without end": sql("UPDATE jobs SET classes = zeroblob(48000000)"),
    "class numbers that are none": sql("UPDATE jobs SET classes = x'" + "ff" * 288 + "'"),
    "class numbers beyond all": sql("UPDATE jobs SET classes = x'" + "ffffffffffffef7f" * 36 + "'"),
    "images as text": sql("UPDATE jobs SET images = 'images'"),
    "images a number": sql("UPDATE jobs SET images = 1000000000"),
    "images cut": sql("UPDATE jobs SET images = substr(images, 1, 8192)"),
    "images of odd length": sql("UPDATE jobs SET images = substr(images, 1, 8191)"),
    "features cut": sql("UPDATE jobs SET features = x'00'"),
    "features a number": sql("UPDATE jobs SET features = 0.5"),
    "wide pictures lost": sql("DELETE FROM pictures"),
    "wide pictures cut": sql("UPDATE pictures SET wide = substr(wide, 1, 18432)"),
    "wide pictures as text": sql("UPDATE pictures SET wide = 'wide'"),
    "wide pictures that are no numbers": sql(
        "UPDATE pictures SET wide = CAST(replace(hex(zeroblob(55296)), '00', '~~') AS BLOB)"
    ),
    "prepared by another, pictures cut": sql(
        "UPDATE jobs SET preparation = 'old'", "UPDATE pictures SET wide = x'0000'"
    ),
    "prepared by another, pictures lost": sql("UPDATE jobs SET preparation = 'old'", "DELETE FROM pictures"),
    "prepared by another, classes cut": sql("UPDATE jobs SET preparation = 'old', classes = x'00'"),
    "labels cut": sql("UPDATE labellings SET labels = x'0000803f'"),
    "labels of odd length": sql("UPDATE labellings SET labels = x'00'"),
    "labels as text": sql("UPDATE labellings SET labels = 'labels'"),
    "labels beyond the scale": sql("UPDATE labellings SET labels = x'" + "0000c842" * 6 + "'"),
    "reasons cut": sql("UPDATE labellings SET reasons = x'00'"),
    "reasons that are none": sql("UPDATE labellings SET reasons = x'646464646464'"),
    "reasons as a number": sql("UPDATE labellings SET reasons = 6"),
    "a habit of nobody": sql("UPDATE labellings SET habit = 'mood' WHERE id = 1"),
    "a habit of bytes": sql("UPDATE labellings SET habit = x'00ff' WHERE id = 1"),
    "a job score beyond all": sql("UPDATE labellings SET job_score = 1e308"),
    "a job score of text": sql("UPDATE labellings SET job_score = 'high'"),
    "a time of nobody": sql("UPDATE labellings SET made_at = 7 WHERE id = 1"),
    "labels of no job": sql("UPDATE labellings SET job = 99"),
    "a job of no project": sql("UPDATE jobs SET project = 99"),
    "a box of text": sql("UPDATE jobs SET box = 'large'"),
    "a pixel of text": sql("UPDATE jobs SET pixel_size_angstrom = 'small'"),
    "a diameter beyond all": sql("UPDATE jobs SET mask_diameter_angstrom = 1e308, preparation = 'old'"),
    "a name of bytes": sql("UPDATE projects SET name = x'ff00'"),
    "a name of signs": sql("UPDATE projects SET name = char(27) || '[2J' || char(10)"),
    "a fate of nobody": sql("UPDATE projects SET held_out = 7"),
    "a hash of nobody": sql("UPDATE jobs SET content_hash = ''"),
    "a hash of bytes": sql("UPDATE jobs SET content_hash = x'ff'"),
    "a page overwritten": bent(0.5, b"\xff" * 40_000),
    "a tree overwritten": bent(0.3, b"\0" * 33_000),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a journal of rubbish": lambda path: path.with_name(f"{path.name}-wal").write_bytes(b"\xff" * 5000),
}


def _projects(path: Path) -> None:
    with Library(path) as library:
        library.projects()


def _pictures(path: Path) -> None:
    with Library(path) as library:
        for job in library.jobs():
            library.images(job.job_id)
            library.features(job.job_id)
            library.thumbnail(job.job_id, 1)


def _merged(path: Path) -> None:
    with Library(path.with_name("new.db"), create=True) as library:
        upkeep.merge(library, path)


READERS: dict[str, Callable[[Path], object]] = {
    "train": lambda path: LibraryFile(path).labelled(False),
    "grids": lambda path: LibraryFile(path).grids(),
    "projects": _projects,
    "pictures": _pictures,
    "merge": _merged,
}


def crafted(library: Path, craft: Craft, folder: Path) -> Path:
    path = folder / "site.db"
    shutil.copy(library, path)
    craft(path)
    return path


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_file_with_a_program_or_with_other_tables_is_refused_unread(
    library: Path, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = crafted(library, PROGRAMS[kind], tmp_path)
    for command in (["library", "info"], ["library", "verify"]):
        assert main([*command, str(path)]) == 1
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("kind", CONTENT)
def test_content_that_does_not_fit_is_read_or_refused_in_one_line(
    library: Path, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused: dict[str, str] = {}
    for name, read in READERS.items():
        folder = tmp_path / name
        folder.mkdir()
        path = crafted(library, CONTENT[kind], folder)
        try:
            read(path)
        except CryoFedError as error:  # anything else is a traceback
            refused[name] = str(error)
    assert not [text for text in refused.values() if "\n" in text]
    path = crafted(library, CONTENT[kind], tmp_path)
    status = main(["library", "verify", str(path)])
    told = capsys.readouterr()
    assert refused or status in (0, 1)
    assert "Traceback" not in told.out + told.err
    assert told.err.count("\n") <= 1
    assert main(["library", "info", str(path)]) in (0, 1)
    assert "\x1b[2J" not in capsys.readouterr().out


def test_a_sound_library_is_read_by_all(library: Path, tmp_path: Path) -> None:
    for name, read in READERS.items():
        (tmp_path / name).mkdir()
        read(crafted(library, lambda _: None, tmp_path / name))
