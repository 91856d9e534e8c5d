"""Records as JSON, one a line: a crash can only cut the last one short."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryofed.errors import InputError


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Add one record and see it onto the disk."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, sort_keys=True, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records; a last line that a crash cut short is left out.

    Raises:
        InputError: another line is damaged, or no record.
    """
    if not path.exists():
        return []
    lines = []
    content = path.read_bytes().split(b"\n")[:-1]
    for number, text in enumerate(content, 1):
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            if number == len(content):  # what a crash cut may end in anything, where the disk filled up
                break
            raise InputError(path, f"line {number}", "damaged", "restore the file from a backup")
        lines.append(record)
    return lines
