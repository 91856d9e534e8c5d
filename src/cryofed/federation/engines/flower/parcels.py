"""Orders and answers in Flower's records: written to a file piece by piece, and trusted in nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryofed.errors import FederationError
from cryofed.federation.engines.flower import inside

LARGEST_ORDER = 8 << 30  # bytes that the aggregator may lay on a site's disk
SLACK = 1_000_000  # bytes that an answer may be longer than its order
KEPT_S = 7 * 86_400.0  # seconds that Flower keeps a message; the rounds take it back long before


def most_objects(most_bytes: int) -> int:
    """Objects that a message of so many bytes may have; six hold no piece."""
    return most_bytes // int(inside.PIECE) + 16


def unfold(tree: Any, content_of: Callable[[str], bytes], path: Path, most_bytes: int) -> dict[str, Any]:
    """The header of a message; its bytes, if it has any, are in `path` afterwards.

    Args:
        tree: of the message's objects, as its sender announced it.
        content_of: an object's content by its number; called once for each that is needed.
        path: where the bytes go; no file is left there where there are none.
        most_bytes: how many are accepted.

    Raises:
        FederationError: not one of our messages, or too long.
    """
    header: dict[str, Any] | None = None
    pieces: list[str] = []
    try:
        (records,) = tree.children
        for node in records.children[:2]:
            head = inside.header_in(content_of(node.object_id))
            if head is not None:
                header = head
            else:
                (array,) = node.children
                pieces = inside.pieces_of(content_of(array.object_id))
        if header is None or len(pieces) > most_objects(most_bytes):
            raise FederationError("malformed: no header, or too many pieces")
        if pieces:
            _join(pieces, content_of, path, most_bytes)
    except FederationError:
        path.unlink(missing_ok=True)
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        path.unlink(missing_ok=True)
        raise FederationError(f"malformed: {type(error).__name__}") from error
    return header


def _join(pieces: list[str], content_of: Callable[[str], bytes], path: Path, most_bytes: int) -> None:
    size = 0
    with path.open("wb") as file:
        for one in pieces:
            body = inside.piece_in(content_of(one))
            size += len(body)
            if size > most_bytes:
                raise FederationError(f"malformed: over {most_bytes} bytes")
            file.write(body)


def failure_in(header: dict[str, Any]) -> str:
    """The code of what went wrong at a site; empty where nothing did."""
    failure = header.get("failure", "")
    if failure == "":
        return ""
    return failure if isinstance(failure, str) and re.fullmatch(r"[a-z0-9_-]{1,64}", failure) else "malformed"
