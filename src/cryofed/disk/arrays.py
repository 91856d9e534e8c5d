"""Arrays and a small header in one safetensors file: replaced in one step, read as memory maps, no pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from cryofed.disk.whole import replace_whole
from cryofed.errors import InputError

Arrays = Mapping[str, NDArray[Any]]
_KINDS = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I64": "<i8", "U8": "u1"}  # safetensors' word and numpy's
_LONGEST_HEADER = 1 << 24  # bytes
_SEAL = "sha256"  # in the file's own header


def write_arrays(path: Path, arrays: Arrays, header: Mapping[str, Any]) -> None:
    """Replace a file by these arrays and this header.

    Raises:
        OutputError: the disk is full, or the place cannot be written.
    """
    kept = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    text = json.dumps(header, sort_keys=True)
    notes = {"cryofed": text, _SEAL: _seal(text, kept)}
    replace_whole(path, lambda temporary: save_file(kept, temporary, notes))


def read_arrays(path: Path, *, check: bool = True) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """What `write_arrays` wrote; the arrays are read-only memory maps, which the library does not give.

    Args:
        path: the file.
        check: hold all of it against its checksum, which reads it once; not where that was done already.

    Raises:
        InputError: not such a file, or not as it was written.
    """
    remedy = "remove this file, or restore it from a backup"
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= _LONGEST_HEADER:
                raise InputError(path, "header", f"{length} bytes", remedy)
            table = json.loads(file.read(length))
        notes = table.pop("__metadata__", {})
        header = json.loads(notes.get("cryofed", "{}"))
        arrays = {name: _mapped(path, 8 + length, entry) for name, entry in table.items()}
        whole = not check or notes.get(_SEAL) == _seal(notes["cryofed"], arrays)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(path, "content", f"not readable ({type(error).__name__})", remedy) from None
    if not whole:
        raise InputError(path, "content", "altered or damaged; its checksum does not fit", remedy)
    return arrays, header


def _seal(text: str, arrays: Arrays) -> str:
    """SHA-256 over the header, and over name, kind, shape and numbers of every array."""
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        digest.update(json.dumps([name, array.dtype.str.lstrip("<|="), array.shape]).encode())
        digest.update(array.data.cast("B") if array.size else b"")
    return digest.hexdigest()


def _mapped(path: Path, start: int, entry: Mapping[str, Any]) -> NDArray[Any]:
    kind, shape = _KINDS[entry["dtype"]], tuple(entry["shape"])
    if 0 in shape:
        return np.zeros(shape, kind)
    # asarray: a plain array over the map, so that arithmetic does not inherit the map.
    return np.asarray(np.memmap(path, kind, "r", start + entry["data_offsets"][0], shape))
