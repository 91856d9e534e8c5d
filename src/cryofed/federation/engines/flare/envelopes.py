"""What orders and answers are announced with: a small table as JSON in FLARE's own container."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nvflare.apis.shareable import Shareable

from cryofed.errors import FederationError

TASK = "cryofed"  # the one task of our jobs
DISMISS = "cryofed.dismiss"  # the round is over; stop working for it
ORDER = "order"  # in DISMISS: which order, by its ticket
LARGEST_HEADER = 1_000_000  # characters
_HEADER = "header"


@dataclass(frozen=True, slots=True)
class Ticket:
    """Where an order or an answer can be fetched; see `transfer`."""

    ref: str
    size: int  # bytes


def envelope(header: Mapping[str, Any]) -> Shareable:
    """Pack."""
    shareable = Shareable()
    shareable[_HEADER] = json.dumps(dict(header))
    return shareable


def opened(shareable: Mapping[str, Any]) -> dict[str, Any]:
    """Unpack, trusting nothing.

    Raises:
        FederationError: not one of ours.
    """
    text = shareable.get(_HEADER)
    if not isinstance(text, str) or len(text) > LARGEST_HEADER:
        raise FederationError("malformed: no header")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FederationError("malformed: the header is not JSON") from error
    if not isinstance(header, dict):
        raise FederationError("malformed: the header is not a table")
    return header


def ticket_in(header: Mapping[str, Any], most_bytes: int) -> Ticket:
    """The ticket that a header announces.

    Raises:
        FederationError: none, or one that is too large.
    """
    ref, size = header.get("ref"), header.get("bytes")
    if not isinstance(ref, str) or not 0 < len(ref) < 100 or type(size) is not int:
        raise FederationError("malformed: no ticket")
    if not 0 < size <= most_bytes:
        raise FederationError(f"malformed: {size} bytes, at most {most_bytes} are accepted")
    return Ticket(ref, size)
