"""What engines carry: an order to the sites and a site's answer, as bytes that are checked on arrival."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from cryofed.errors import WireError
from cryofed.federation.wire.bounds import NUMBERS, misfit
from cryofed.federation.wire.codecs import Buffer, Encoded, decode, encode
from cryofed.federation.wire.parcels import MESSAGE_SCHEMA, NUMBERS_SCHEMA, canonical, pack, unpack
from cryofed.learning.vector import Vector, vector_hash

Task = Literal["train", "evaluate", "statistics"]
TASKS = ("train", "evaluate", "statistics")
MAX_NUMBERS = 262_144  # bytes of an answer that is numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the aggregator asks of the sites.

    `vector` is the strategy's message for `train`, `(channels * size,)`; for `evaluate` the models to
    evaluate one after the other, `(models * size,)`; empty for `statistics`.
    """

    task: str
    round_number: int  # from 1
    plan_hash: str
    start_hash: str  # of the model that the campaign started from
    layout_hash: str
    vector: Vector
    model_hash: str  # of `vector`
    acknowledged: Mapping[str, str] = field(
        default_factory=dict
    )  # by site: its last update that was accepted


def order(
    task: Task, round_number: int, vector: Vector, *, plan_hash: str, start_hash: str, layout_hash: str
) -> Order:
    """An order whose model hash is that of its vector."""
    return Order(
        task=task,
        round_number=round_number,
        plan_hash=plan_hash,
        start_hash=start_hash,
        layout_hash=layout_hash,
        model_hash=vector_hash(vector),
        vector=vector,
    )


def pack_order(sent: Order) -> bytes:
    """The order as bytes; models travel down as float32, so that every site starts from the same bits."""
    encoded = encode(sent.vector, "float32")
    header = {
        "schema": MESSAGE_SCHEMA,
        "task": sent.task,
        "round_number": sent.round_number,
        "plan_hash": sent.plan_hash,
        "start_hash": sent.start_hash,
        "layout_hash": sent.layout_hash,
        "model_hash": sent.model_hash,
        "codec": encoded.codec,
        "acknowledged": dict(sent.acknowledged),
    }
    # As float32 the payload is the vector's own bytes, so its hash is known.
    return pack(header, encoded.payload, sha256=sent.model_hash)


def unpack_order(data: Buffer, max_numbers: int) -> Order:
    """The order in these bytes; a site trusts nothing that it was sent.

    Args:
        data: as it arrived.
        max_numbers: the longest vector that the site is ready to take.

    Raises:
        WireError: malformed, too long, an unknown task, or not the vector that its header names.
    """
    parcel = unpack(data, MESSAGE_SCHEMA, 4 * max_numbers + 32_768)
    header = parcel.header
    if header["task"] not in TASKS:
        raise WireError("task", f"{header['task'][:20]!r} is none of {', '.join(TASKS)}")
    if header["codec"] != "float32":
        raise WireError("codec", "models travel down as float32")
    vector = decode(Encoded(header["codec"], parcel.payload), len(parcel.payload) // 4).copy()
    if header["payload_sha256"] != header["model_hash"]:  # one hash, of the same bytes, which was checked
        raise WireError("hash", "the vector is not the one that the order names")
    return Order(
        task=header["task"],
        round_number=header["round_number"],
        plan_hash=header["plan_hash"],
        start_hash=header["start_hash"],
        layout_hash=header["layout_hash"],
        model_hash=header["model_hash"],
        vector=vector,
        acknowledged=header["acknowledged"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from one site, whose name the engine has authenticated.

    `data` is a packed update or packed numbers; empty where the site sends none, and `failure` is then a
    code (the site's own log has the words).
    """

    site: str
    data: Buffer = field(default=b"", repr=False)
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A site's answer to `evaluate` or `statistics`: the named numbers of `bounds.NUMBERS` and no other."""

    site: str
    task: str
    round_number: int
    model_hash: str
    values: Mapping[str, float]


def pack_numbers(numbers: Numbers) -> bytes:
    """Named numbers as bytes."""
    header = {
        "schema": NUMBERS_SCHEMA,
        "site": numbers.site,
        "task": numbers.task,
        "round_number": numbers.round_number,
        "model_hash": numbers.model_hash,
    }
    return pack(header, canonical({name: float(value) for name, value in numbers.values.items()}))


def unpack_numbers(data: Buffer) -> Numbers:
    """The named numbers in these bytes.

    Raises:
        WireError: malformed, an unknown name, or a value out of its bounds (`bounds.NUMBERS`).
    """
    parcel = unpack(data, NUMBERS_SCHEMA, MAX_NUMBERS)
    try:
        values = json.loads(bytes(parcel.payload))
    except (ValueError, RecursionError):
        raise WireError("format", "the numbers are not JSON") from None
    task = parcel.header["task"]
    if not isinstance(values, dict) or task not in NUMBERS:
        raise WireError("schema", "the numbers are not a table, or of no task")
    if (odd := misfit(values, NUMBERS[task])) is not None:
        raise WireError("bound", f"number {odd[:40]!r} is unknown or out of its bounds")
    if canonical(values) != bytes(parcel.payload):  # a name twice
        raise WireError("format", "the numbers are not in canonical form")
    fields = {name: parcel.header[name] for name in ("site", "task", "round_number", "model_hash")}
    return Numbers(values=values, **fields)


EMPTY = np.zeros(0, np.float32)  # the vector of an order that needs none
