"""A file is replaced in one step: a reader, or a crash, sees the old content or the new one."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cryofed.errors import OutputError


def write_whole(path: Path, *content: bytes | memoryview, mode: int = 0o666) -> None:
    """Replace a file by these parts, one after the other; on the disk when this returns.

    Args:
        path: the file; its folder exists.
        content: the parts.
        mode: the file's rights, less the process's umask; 0o600 for what nobody else may read.

    Raises:
        OutputError: the disk is full, or the place cannot be written.
    """

    def fill(temporary: Path) -> None:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            for part in content:
                file.write(part)

    replace_whole(path, fill)


def replace_whole(path: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write a new file beside this one, see it onto the disk, and put it in this one's place."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fill(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name itself must reach the disk
        finally:
            os.close(folder)
    except OSError as error:
        found = f"cannot be written: {error.strerror or error}"
        raise OutputError(path, "file", found, "free some space, or give the rights to write there") from None
    finally:
        temporary.unlink(missing_ok=True)  # there only where the above failed
        _sweep(path)


def _sweep(path: Path) -> None:
    """Take away what processes left beside this file that were killed while they wrote it."""
    with suppress(OSError), os.scandir(path.parent) as entries:
        head = f".{path.name}."
        for entry in entries:
            number = entry.name.removeprefix(head)
            if entry.name.startswith(head) and number.isdigit() and not _lives(int(number)):
                Path(entry.path).unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # somebody else's; or no process has this number
        return True
    return True


def mapped_bytes(path: Path) -> memoryview:
    """The bytes of a file that is not empty, read from the disk as they are looked at."""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
