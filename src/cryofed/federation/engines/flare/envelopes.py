"""An order or an answer inside FLARE's own container: a header as JSON and one flat array of bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from nvflare.apis.shareable import Shareable

from cryofed.errors import FederationError
from cryofed.federation.engines.flare.pipe import LARGEST_HEADER, Bytes

TASK = "cryofed"  # the one task of our jobs
ALIVE = "cryofed.alive"  # is this site's process there?
READY = "ready"  # in the reply to ALIVE: the learner is warm
DISMISS = "cryofed.dismiss"  # the round is over; stop working for it
TURN = "cryofed.turn"  # may this site send its large answer now? Also the word in the reply:
YES, WAIT, OVER = "yes", "wait", "over"  # over: nobody waits for this answer any more
_HEADER, _PAYLOAD = "header", "payload"


def envelope(header: Mapping[str, Any], payload: Bytes) -> Shareable:
    """Pack."""
    made = Shareable()
    made[_HEADER] = json.dumps(dict(header))
    made[_PAYLOAD] = payload
    return made


def opened(shareable: Mapping[str, Any], most_bytes: int | None = None) -> tuple[dict[str, Any], Bytes]:
    """Unpack, trusting nothing.

    Raises:
        FederationError: not one of ours.
    """
    text, payload = shareable.get(_HEADER), shareable.get(_PAYLOAD)
    if not isinstance(text, str) or len(text) > LARGEST_HEADER:
        raise FederationError("malformed: no header")
    if not isinstance(payload, np.ndarray) or payload.dtype != np.uint8 or payload.ndim != 1:
        raise FederationError("malformed: the payload is not a flat array of bytes")
    if most_bytes is not None and payload.nbytes > most_bytes:
        raise FederationError(f"malformed: {payload.nbytes} bytes, at most {most_bytes} are accepted")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FederationError("malformed: the header is not JSON") from error
    if not isinstance(header, dict):
        raise FederationError("malformed: the header is not a table")
    return header, payload
