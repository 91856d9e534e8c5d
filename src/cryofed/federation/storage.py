"""Files that survive kill -9: written whole or not at all, and by one run at a time."""

from __future__ import annotations

import fcntl
import json
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from cryofed.errors import FederationError, InputError

Arrays = Mapping[str, NDArray[Any]]
KINDS = {"<f4": "F32", "<f8": "F64", "<f2": "F16", "<i8": "I64", "|u1": "U8"}  # numpy's word and safetensors'


def write_whole(path: Path, *content: bytes | memoryview) -> None:
    """Replace a file in one step: a reader, or a crash, sees the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            for part in content:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name itself must reach the disk
        finally:
            os.close(folder)
    except OSError as error:
        raise FederationError(f"{path}: cannot write: {error.strerror}; free some space or rights") from None


def write_arrays(path: Path, arrays: Arrays, header: Mapping[str, Any]) -> None:
    """Arrays and a header as one safetensors file, in one step. No pickle."""
    # The format by hand, for the library copies every array twice: wide types first, then by name, as there.
    kept = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    names = sorted(kept, key=lambda name: (-kept[name].itemsize, name))
    table: dict[str, Any] = {"__metadata__": {"cryofed": json.dumps(header, sort_keys=True)}}
    end = 0
    for name in names:
        start, end = end, end + kept[name].nbytes
        shape = list(kept[name].shape)
        table[name] = {"dtype": KINDS[kept[name].dtype.str], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    parts = [kept[name].reshape(-1).view(np.uint8).data for name in names]
    write_whole(path, len(text).to_bytes(8, "little") + text, *parts)


def read_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """What `write_arrays` wrote; the arrays are read-only memory maps.

    Raises:
        InputError: not such a file.
    """
    remedy = "remove this file, or restore it from a backup"
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= 1 << 24:
                raise InputError(path, "header", f"{length} bytes", remedy)
            table = json.loads(file.read(length))
        header = json.loads(table.pop("__metadata__", {}).get("cryofed", "{}"))
        arrays = {name: _mapped(path, 8 + length, entry) for name, entry in table.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise InputError(path, "content", f"not readable ({type(error).__name__})", remedy) from None
    return arrays, header


def mapped_bytes(path: Path) -> memoryview:
    """The bytes of a file that is not empty, read from the disk as they are looked at."""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _mapped(path: Path, start: int, entry: Mapping[str, Any]) -> NDArray[Any]:
    kind = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I64": "<i8", "U8": "u1"}[entry["dtype"]]
    shape = tuple(entry["shape"])
    if 0 in shape:
        return np.zeros(shape, kind)
    # asarray: a plain array over the map, so that arithmetic does not inherit the map.
    return np.asarray(np.memmap(path, kind, "r", start + entry["data_offsets"][0], shape))


@contextmanager
def sole_run(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system lets go of it when the process ends, however it ends.

    Raises:
        FederationError: another run holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            message = f"{folder}: process {holder} runs here; wait for it or give another folder"
            raise FederationError(message) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Add one JSON line and see it onto the disk."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, sort_keys=True, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON lines; a last line that a crash cut short is left out."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            lines.append(json.loads(text if text.endswith("\n") else "cut"))
        except ValueError:
            break
    return lines
