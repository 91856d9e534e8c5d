"""One lock: the system lets go of it when the process that holds it ends, however it ends.

It is `flock` itself and not the package `filelock`, which empties a lock file whenever it tries it: the
holder's process number, which the refusal names, would be gone.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from cryofed.errors import BusyError

LOCK = "lock"  # the file by which a folder is held
_PAUSE_S = 0.05


@contextmanager
def sole_run(folder: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a folder, which is made where it is missing.

    Raises:
        BusyError: another process holds it, and did so for `wait_s` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder / LOCK, wait_s):
        yield


def wait_for(folder: Path, seconds: float) -> None:
    """Wait until nobody holds the folder, or for so long; whoever needs it takes it then."""
    with suppress(BusyError), sole_run(folder, seconds):
        pass


def is_held(folder: Path) -> bool:
    """Whether a process holds the folder now. Looking does not keep anybody from taking it."""
    try:
        with (folder / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # never held, or not ours to read
        return False
    return False


@contextmanager
def held(path: Path, wait_s: float = float("inf")) -> Iterator[None]:
    """Hold this lock file; it is made where it is missing.

    Raises:
        BusyError: another process holds it, and did so for `wait_s` seconds.
    """
    end = time.monotonic() + wait_s
    with os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "a+") as file:
        for attempt in count():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt and time.monotonic() >= end:  # the first time it may be one who only looks
                    file.seek(0)
                    raise BusyError(path.parent, file.read().strip() or "unknown") from None
                time.sleep(_PAUSE_S)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
