"""Frames between the executor and the learner's process: a small header and one array, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
READY = {"ready": True}  # the learner's first frame: it has imported all that it needs
LARGEST_HEADER = 1_000_000  # bytes


def write_frame(stream: IO[bytes], header: Mapping[str, Any], payload: Bytes) -> None:
    """Lengths, header, payload; returns when the other side can read all of it."""
    text = json.dumps(dict(header)).encode()
    stream.write(len(text).to_bytes(8, "big") + payload.nbytes.to_bytes(8, "big") + text)
    stream.write(payload.data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> tuple[dict[str, Any], Bytes]:
    """The next frame.

    Raises:
        EOFError: the other side is gone.
    """
    head = _exactly(stream, 16)
    length, size = int.from_bytes(head[:8], "big"), int.from_bytes(head[8:], "big")
    if length > LARGEST_HEADER:
        raise EOFError("not a frame")
    header = json.loads(bytes(_exactly(stream, length)))
    return header, np.frombuffer(_exactly(stream, size), np.uint8)


def _exactly(stream: IO[bytes], size: int) -> bytearray:
    buffer = bytearray(size)
    view, done = memoryview(buffer), 0
    while done < size:
        count = stream.readinto(view[done:])  # type: ignore[attr-defined]  # buffered readers have it
        if not count:
            raise EOFError("the other side is gone")
        done += count
    return buffer
