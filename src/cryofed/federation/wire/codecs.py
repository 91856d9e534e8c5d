"""Fewer bytes on the wire: a vector as float32, float16, 8-bit blocks, or its largest entries.

Decoding trusts nothing: the reader knows how many numbers there must be, and everything else follows
from that or is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import WireError
from cryofed.learning.vector import Vector

Buffer = bytes | memoryview  # of bytes: a large payload is passed on, not copied
BLOCK = 256  # numbers that share one 8-bit scale: 4 bytes on 256


@dataclass(frozen=True, slots=True)
class Encoded:
    """A vector on its way between machines."""

    codec: str  # one of `CODECS`
    payload: Buffer


def encode(vector: Vector, codec: str, keep: float = 0.3) -> Encoded:
    """The vector as bytes; `keep` is the share of numbers that `topk` sends."""
    if codec == "topk":
        return Encoded(codec, _to_topk(vector, keep))
    return Encoded(codec, CODECS[codec][0](vector))


def decode(encoded: Encoded, size: int) -> Vector:
    """The `size` numbers in these bytes.

    Raises:
        WireError: unknown codec, a length that does not fit `size`, or a number that is not finite.
    """
    if encoded.codec not in CODECS:
        raise WireError("codec", f"codec {encoded.codec[:20]!r} is not one of {', '.join(CODECS)}")
    vector = CODECS[encoded.codec][1](encoded.payload, size)
    if not np.isfinite(vector).all():
        raise WireError("not-finite", "the vector holds NaN or infinity")
    return vector


def compress(vector: Vector, codec: str, keep: float) -> tuple[Encoded, Vector]:
    """The encoded vector, and what the encoding left out: error feedback adds it to the next update.

    Source: Seide 2014; Karimireddy 2019, Error Feedback Fixes SignSGD.
    """
    encoded = encode(vector, codec, keep)
    left: Vector = vector - decode(encoded, len(vector))
    return encoded, left


def _to_float32(vector: Vector) -> Buffer:
    return np.ascontiguousarray(vector, "<f4").view(np.uint8).data


def _from_float32(payload: Buffer, size: int) -> Vector:
    """The payload itself, seen as numbers; read-only where it is."""
    _length(payload, 4 * size)
    return np.frombuffer(payload, "<f4").astype(np.float32, copy=False)


def _to_float16(vector: Vector) -> bytes:
    """One float32 scale, then halves in [-1, 1]: a delta of any size fits."""
    scale = np.float32(np.abs(vector).max(initial=0)) or np.float32(1)
    return np.array(scale, "<f4").tobytes() + (vector / scale).astype("<f2").tobytes()


def _from_float16(payload: Buffer, size: int) -> Vector:
    _length(payload, 4 + 2 * size)
    scale = _scales(payload[:4])[0]
    halves = np.frombuffer(payload, "<f2", offset=4).astype(np.float32)
    if not (np.abs(halves) <= 1).all():  # NaN fails too
        raise WireError("bound", "a half is outside [-1, 1]")
    vector: Vector = halves * scale
    return vector


def _to_int8(vector: Vector) -> bytes:
    """One float32 scale per block of 256, then signed bytes: 127 is the block's largest magnitude."""
    blocks = -(-len(vector) // BLOCK)
    padded = np.zeros(blocks * BLOCK, np.float32)
    padded[: len(vector)] = vector
    square = padded.reshape(blocks, BLOCK)
    scales = np.abs(square).max(axis=1) / np.float32(127)
    safe = np.where(scales > 0, scales, np.float32(1))
    levels = np.clip(np.rint(square / safe[:, None]), -127, 127).astype(np.int8).ravel()[: len(vector)]
    payload: bytes = scales.astype("<f4").tobytes() + levels.tobytes()
    return payload


def _from_int8(payload: Buffer, size: int) -> Vector:
    blocks = -(-size // BLOCK)
    _length(payload, 4 * blocks + size)
    scales = _scales(payload[: 4 * blocks])
    levels = np.frombuffer(payload, np.int8, offset=4 * blocks).astype(np.float32)
    vector: Vector = levels * np.repeat(scales, BLOCK)[:size]
    return vector


def _to_topk(vector: Vector, keep: float) -> bytes:
    """One bit per number, whether it is sent; then the sent ones as 8-bit blocks."""
    k = min(len(vector), max(1, round(keep * len(vector))))
    sent = np.zeros(len(vector), np.bool_)
    # A stable order, so that ties (many zeros) give the same bytes on every machine.
    sent[np.argsort(-np.abs(vector), kind="stable")[:k]] = True
    return np.packbits(sent).tobytes() + _to_int8(vector[sent])


def _from_topk(payload: Buffer, size: int) -> Vector:
    bitmap = -(-size // 8)
    if len(payload) < bitmap:
        raise WireError("length", f"{len(payload)} bytes, the bitmap alone takes {bitmap}")
    bits = np.unpackbits(np.frombuffer(payload, np.uint8, bitmap))
    if bits[size:].any():
        raise WireError("length", "the bitmap names numbers beyond the layout")
    sent = bits[:size].astype(np.bool_)
    vector = np.zeros(size, np.float32)
    vector[sent] = _from_int8(payload[bitmap:], int(sent.sum()))
    return vector


def _length(payload: Buffer, wanted: int) -> None:
    if len(payload) != wanted:
        raise WireError("length", f"{len(payload)} bytes, the layout takes {wanted}")


def _scales(raw: Buffer) -> NDArray[np.float32]:
    scales = np.frombuffer(raw, "<f4").astype(np.float32)
    # 1e30 keeps 127 * scale finite; the norm bound of admission is far below.
    if not ((scales >= 0) & (scales <= 1e30)).all():
        raise WireError("bound", "a scale is negative, not finite, or above 1e30")
    return scales


CODECS: Mapping[str, tuple[Callable[[Vector], Buffer], Callable[[Buffer, int], Vector]]] = MappingProxyType(
    {
        "float32": (_to_float32, _from_float32),
        "float16": (_to_float16, _from_float16),
        "int8": (_to_int8, _from_int8),
        "topk": (lambda vector: _to_topk(vector, 0.1), _from_topk),
    }
)
