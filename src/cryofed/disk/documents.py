"""Small JSON documents that carry their own checksum: a flipped byte is a clear line, never another fact."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryofed.disk.whole import write_whole
from cryofed.errors import InputError

SEAL = "sha256"  # the document's last field: of all others, in canonical form


def write_document(path: Path, fields: Mapping[str, Any], *, mode: int = 0o666) -> None:
    """Replace a file by this document; `mode` as in `write_whole`.

    Raises:
        ValueError: a number in it is not finite; that is our bug, and nothing is written.
        OutputError: the disk is full, or the place cannot be written.
    """
    sealed = {**fields, SEAL: _seal(fields)}
    write_whole(path, json.dumps(sealed, indent=2, allow_nan=False).encode(), mode=mode)


def read_document(path: Path) -> dict[str, Any]:
    """What `write_document` wrote, without its checksum.

    Raises:
        InputError: not readable, or not what was written.
    """
    try:
        fields = json.loads(path.read_bytes())
        seal = fields.pop(SEAL)
        whole = seal == _seal(fields)
    except OSError as error:
        raise _damaged(path, f"cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, f"not readable ({type(error).__name__})") from None
    if not whole:
        raise _damaged(path, "altered or damaged; its checksum does not fit")
    return dict(fields)


def _seal(fields: Mapping[str, Any]) -> str:
    text = json.dumps(dict(fields), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _damaged(path: Path, found: str) -> InputError:
    return InputError(path, "content", found, "restore it from a backup")
