"""Logs that stay small and never stop the work that they tell of."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

LARGEST = 4 << 20  # bytes of a log; then it becomes NAME.1, and the one before that goes
OLDER = 2  # logs that are kept beside the current one


def write_log(path: Path, text: str) -> None:
    """Add to a log that is begun anew when it is full. A disk that is full loses the words, not the work."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _Quiet(path, maxBytes=LARGEST, backupCount=OLDER, encoding="utf-8")
        handler.emit(logging.LogRecord("cryofed", logging.INFO, "", 0, text.rstrip(), None, None))
        handler.close()


def open_log(path: Path) -> IO[bytes]:
    """A log that a child process writes to: the last one is put aside first where it is full."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(path, maxBytes=LARGEST, backupCount=OLDER, delay=True)
    if path.exists() and path.stat().st_size >= LARGEST:
        handler.doRollover()
    handler.close()
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


class _Quiet(RotatingFileHandler):
    """Owns the file, which nobody else may read. A write that fails is passed by: nobody would hear it."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return TextIOWrapper(os.fdopen(descriptor, "ab"), encoding=self.encoding)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's own name
        """Nothing."""
