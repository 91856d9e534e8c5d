"""A hash chain: records that are only ever added, each of which seals all that came before it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryofed.disk.lock import held
from cryofed.errors import InputError

PREVIOUS = "previous"  # in each record: SHA-256 over all bytes of the file before its line
Record = Mapping[str, Any]


def read_chain(path: Path) -> list[dict[str, Any]]:
    """All records, oldest first, without their seals; none where there is no file.

    A last line without its end is left out: a crash cut it, and what it records did not happen. What was
    cut off at the end is not noticed; whoever must notice keeps `head` somewhere else.

    Raises:
        InputError: a line was altered, taken out or put in.
    """
    return _read(path)[0]


def read_sealed(path: Path) -> list[dict[str, Any]]:
    """All records with their seals (`PREVIOUS`), oldest first; see `read_chain`."""
    content = path.read_bytes() if path.exists() else b""
    count = len(read_chain(path))
    return [json.loads(line) for line in content.split(b"\n")[:count]]


def head(path: Path) -> str:
    """The seal over all records, which the next one will carry."""
    return _read(path)[1]


def was_head(path: Path, seal: str) -> bool:
    """Whether this was the seal over all records at some time: not so where the file was put back."""
    read_chain(path)
    digest, seals = hashlib.sha256(), {hashlib.sha256().hexdigest()}
    for line in (path.read_bytes() if path.exists() else b"").split(b"\n")[:-1]:
        digest.update(line + b"\n")
        seals.add(digest.hexdigest())
    return seal in seals


def add_record(path: Path, decide: Callable[[Sequence[Record]], Record | None]) -> None:
    """Add the record that `decide` makes of all earlier ones, or none; on the disk when this returns.

    One process at a time: what `decide` saw is what stands before its record. It may raise, and then
    nothing is written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with held(path.with_name(f"{path.name}.lock")):
        records, seal, size = _read(path)
        record = decide(records)
        if record is None:
            return
        line = json.dumps({**record, PREVIOUS: seal}, sort_keys=True, allow_nan=False).encode() + b"\n"
        # Of this user alone: what a ledger, an audit or an agreement says is nobody else's business.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
            file.truncate(size)  # a line that a crash cut
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


def _read(path: Path) -> tuple[list[dict[str, Any]], str, int]:
    content = path.read_bytes() if path.exists() else b""
    records, digest, size = [], hashlib.sha256(), 0
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            record = json.loads(line)
            if record.pop(PREVIOUS) != digest.hexdigest():
                raise ValueError(PREVIOUS)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise altered(path, number) from None
        records.append(record)
        digest.update(line + b"\n")
        size += len(line) + 1
    return records, digest.hexdigest(), size


def altered(path: Path, number: int) -> InputError:
    """What is said of a line (from 1) that does not fit the chain, or its schema."""
    found = "it, or a line before it, was altered or damaged"
    return InputError(path, f"line {number}", found, "restore the file from a backup; never delete it")
