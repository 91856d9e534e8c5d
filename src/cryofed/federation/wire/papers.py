"""The messages of masks and attestation as engines carry them; what is in them is the business of `trust`."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryofed.errors import WireError
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import Order
from cryofed.federation.wire.parcels import MAX_HEADER, PAPER_SCHEMA, SEALED_SCHEMA, pack, schema_of, unpack

MASK_STEPS = ("offer", "mask", "open")  # that the aggregator asks for, in this order, once sites have trained
PROOF_STEPS = ("challenge", "evidence")  # by which it proves itself, before anything else
SITE_STEP = "attest"  # by which a site proves itself
STEPS = (*MASK_STEPS, *PROOF_STEPS, SITE_STEP)
MAX_PAPER = 1 << 20  # bytes of what the aggregator sends: the offers of 1,024 sites
_NAMES = ("round_number", "plan_hash", "start_hash", "layout_hash", "model_hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """To a site: the next step of a masked round, or of a proof."""

    task: str  # one of `STEPS`
    round_number: int
    plan_hash: str
    start_hash: str
    layout_hash: str
    model_hash: str  # of the message that the sites trained from
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """From a site: `train` says that it has trained, the others answer a paper."""

    site: str
    task: str
    round_number: int
    model_hash: str
    content: Buffer = field(default=b"", repr=False)


def pack_paper(order: Order, task: str, content: bytes, most: int) -> bytes:
    """A step of the round that this order began; its answer's content has at most `most` bytes."""
    header = {name: getattr(order, name) for name in _NAMES}
    return pack({"schema": PAPER_SCHEMA, "task": task, "answer_bytes": most, **header}, content)


def largest_answer(order: Buffer) -> int:
    """Bytes that an answer to this order may have, little more or less: engines bound what they take by it.

    An update is as long as the message that it answers; what answers a paper is as long as the paper says.
    """
    if schema_of(order) != PAPER_SCHEMA:
        return len(order)
    header = unpack(order, PAPER_SCHEMA, MAX_PAPER + 12 + MAX_HEADER).header
    return int(header["answer_bytes"]) + 12 + MAX_HEADER


def unpack_paper(data: Buffer) -> Paper:
    """The step in these bytes.

    Raises:
        WireError: malformed, too long, or no step.
    """
    parcel = unpack(data, PAPER_SCHEMA, MAX_PAPER + 12 + MAX_HEADER)
    if parcel.header["task"] not in STEPS:
        raise WireError("task", f"{parcel.header['task'][:20]!r} is none of {', '.join(STEPS)}")
    fields = {name: parcel.header[name] for name in (*_NAMES, "task")}
    return Paper(content=bytes(parcel.payload), **fields)


def pack_sealed(sealed: Sealed) -> bytes:
    """A site's answer as bytes."""
    fields = {name: getattr(sealed, name) for name in ("site", "task", "round_number", "model_hash")}
    return pack({"schema": SEALED_SCHEMA, **fields}, sealed.content)


def unpack_sealed(data: Buffer, max_bytes: int) -> Sealed:
    """A site's answer from bytes; its content is checked by whoever asked.

    Raises:
        WireError: malformed, or a content of over `max_bytes`.
    """
    parcel = unpack(data, SEALED_SCHEMA, max_bytes + 12 + MAX_HEADER)
    fields = {name: parcel.header[name] for name in ("site", "task", "round_number", "model_hash")}
    return Sealed(content=parcel.payload, **fields)
