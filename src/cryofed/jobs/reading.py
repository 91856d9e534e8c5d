"""Files at the border: what is refused before a library sees it, and what a library raises, in one line."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryofed.errors import CryoFedError, InputError

AGAIN = "copy the file again, or give another one"
MOST_IMAGES = 20_000  # RELION and CryoSPARC make some hundred classes; more are particles
MOST_DECODED = 512 << 20  # bytes of pixels held in memory as float32 (HDF5, TIFF, PNG, converted MRC)
MOST_MAPPED = 4 << 30  # bytes of pixels of a memory map
MOST_JSON = 64 << 20  # bytes; a job.json of CryoSPARC has some hundred kB
MOST_TEXT = 10 << 20  # bytes of a small table that a person wrote
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz", ".7z")


def check_file(path: Path, role: str) -> None:
    """Refuse a missing, empty or unreadable file before a library sees it."""
    try:
        if not path.is_file():
            found = "a folder" if path.is_dir() else "no such file" if not path.exists() else "no plain file"
            raise InputError(path, role, found, "give the folder or file of a finished 2D classification")
        if path.stat().st_size == 0:
            raise InputError(path, role, "0 bytes", AGAIN)
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        found = getattr(error, "strerror", None) or str(error)
        raise InputError(path, role, found, "ask for the right to read it") from None


def check_pixels(path: Path, shape: tuple[int, ...], *, most: int = MOST_DECODED) -> None:
    """Refuse images that would need more than `most` bytes as float32, from their shape `(n, y, x)` alone."""
    n, height, width = shape
    if n > MOST_IMAGES:
        found, remedy = f"{n:,} images", f"give class averages, at most {MOST_IMAGES:,}, not particles"
        raise InputError(path, "images", found, remedy)
    if 4 * n * height * width > most:
        found = f"{n:,} × {height:,} × {width:,} pixels, which need {4 * n * height * width / 2**30:,.1f} GiB"
        raise InputError(path, "images", found, f"give averages of at most {most >> 20:,} MiB, or bin them")


@contextmanager
def translated(path: Path, role: str, remedy: str = AGAIN) -> Iterator[None]:
    """Turn whatever a library raises while it reads `path` into one line; its warnings are not shown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except CryoFedError:
        raise
    except Exception as error:  # libraries raise many types of their own on damaged files
        raise InputError(path, role, first_line(error), remedy) from None


def first_line(error: BaseException) -> str:
    """The first line of what an error says, at most 160 characters, without its last point."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:160].rstrip(".")


def read_text(path: Path, subject: str) -> str:
    """A text in UTF-8 of at most `MOST_TEXT` bytes.

    Raises:
        InputError: it is missing, too large, or no text.
    """
    check_file(path, subject)
    with translated(path, subject):
        if path.stat().st_size > MOST_TEXT:
            raise InputError(path, subject, f"over {MOST_TEXT >> 20} MiB", AGAIN)
        raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(path, subject, "no text", AGAIN) from None


def read_json(path: Path) -> Any:
    """A JSON document of at most `MOST_JSON` bytes.

    Raises:
        InputError: it is missing, damaged or too large.
    """
    check_file(path, "JSON document")
    with translated(path, "JSON document"):
        if path.stat().st_size > MOST_JSON:
            raise InputError(path, "JSON document", f"over {MOST_JSON >> 20} MiB", AGAIN)
        return json.loads(path.read_bytes())
