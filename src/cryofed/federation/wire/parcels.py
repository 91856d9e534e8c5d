"""The bytes between machines: a checked header and one vector. Never a pickle.

`CRYOFED1`, the header's length (4 bytes, big-endian), the header as canonical JSON, the payload. The
same bytes travel in every engine, and the audit log keeps their hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryofed.errors import WireError
from cryofed.federation.wire.bounds import METRICS, is_hash, is_name, misfit
from cryofed.federation.wire.codecs import CODECS, Buffer, Encoded, decode
from cryofed.federation.wire.updates import Update

MAGIC = b"CRYOFED1"
MAX_HEADER = 65_536  # bytes: an order acknowledges what each site has sent
UPDATE_SCHEMA = "cryofed.update/1"
MESSAGE_SCHEMA = "cryofed.message/1"
NUMBERS_SCHEMA = "cryofed.numbers/1"
PAPER_SCHEMA = "cryofed.paper/1"  # to a site: a message of a masked round
SEALED_SCHEMA = "cryofed.sealed/1"  # from a site: its answer, of which only the sum can be read
_TEXT = 128  # longest text in a header
# field: what it is. Every field must be there, and no other.
_COMMON = {"schema": str, "round_number": int, "model_hash": str, "layout_hash": str, "codec": str}
_SEALED = {"payload_bytes": int, "payload_sha256": str}
FIELDS: Mapping[str, Mapping[str, type]] = {
    UPDATE_SCHEMA: _COMMON
    | _SEALED
    | {"site": str, "examples": int, "steps": int, "metrics": dict, "audit_hash": str},
    MESSAGE_SCHEMA: _COMMON
    | _SEALED
    | {"plan_hash": str, "start_hash": str, "task": str, "acknowledged": dict},
    NUMBERS_SCHEMA: _SEALED
    | {"schema": str, "site": str, "task": str, "round_number": int, "model_hash": str},
    PAPER_SCHEMA: _SEALED
    | {
        "schema": str,
        "task": str,
        "round_number": int,
        "plan_hash": str,
        "start_hash": str,
        "layout_hash": str,
        "model_hash": str,
        "answer_bytes": int,
    },
    SEALED_SCHEMA: _SEALED
    | {"schema": str, "site": str, "task": str, "round_number": int, "model_hash": str},
}


@dataclass(frozen=True, slots=True)
class Parcel:
    """A checked header and its payload; the payload's inside is not yet read."""

    header: Mapping[str, Any]
    payload: memoryview


def canonical(document: object) -> bytes:
    """JSON in one spelling, so that equal documents have equal hashes; refuses NaN."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def pack(header: Mapping[str, Any], payload: Buffer, sha256: str = "") -> bytes:
    """One message; length and hash of the payload (`sha256`, where it is known) are added to the header."""
    sealed = dict(header)
    known = sha256 or hashlib.sha256(payload).hexdigest()
    sealed |= {"payload_bytes": len(payload), "payload_sha256": known}
    _check_header(sealed)
    text = canonical(sealed)
    return b"".join((MAGIC, len(text).to_bytes(4, "big"), text, payload))


def schema_of(data: Buffer) -> str:
    """What a message says that it is; empty where it is none. Nothing else of it is read or believed."""
    length = int.from_bytes(data[8:12], "big")
    if data[:8] != MAGIC or length > min(MAX_HEADER, len(data) - 12):
        return ""
    try:
        header = json.loads(bytes(data[12 : 12 + length]).decode("ascii"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return ""
    return str(header.get("schema", "")) if isinstance(header, dict) else ""


def unpack(data: Buffer, schema: str, max_bytes: int) -> Parcel:
    """Header and payload of a message from another machine.

    Raises:
        WireError: too long, cut, another magic or schema, a missing, unknown or wrong field, another hash.
    """
    if len(data) > max_bytes:
        raise WireError("size", f"{len(data)} bytes, at most {max_bytes} are accepted")
    if data[:8] != MAGIC or len(data) < 12:
        raise WireError("format", "not a CryoFed message")
    length = int.from_bytes(data[8:12], "big")
    if length > min(MAX_HEADER, len(data) - 12):
        raise WireError("format", f"a header of {length} bytes does not fit")
    text = bytes(data[12 : 12 + length])
    try:
        header = json.loads(text.decode("ascii"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise WireError("format", "the header is not JSON") from None
    if not isinstance(header, dict) or header.get("schema") != schema:
        raise WireError("schema", f"not a {schema}")
    _check_header(header)
    if canonical(header) != text:
        raise WireError("format", "the header is not in canonical form")
    payload = memoryview(data)[12 + length :]
    if len(payload) != header["payload_bytes"]:
        raise WireError("length", f"{len(payload)} payload bytes, the header says {header['payload_bytes']}")
    if hashlib.sha256(payload).hexdigest() != header["payload_sha256"]:
        raise WireError("hash", "the payload is not the one that was sent")
    return Parcel(header, payload)


def pack_update(update: Update, encoded: Encoded) -> bytes:
    """The update as bytes, its vector as `encoded`."""
    header = {
        "schema": UPDATE_SCHEMA,
        "site": update.site,
        "round_number": update.round_number,
        "model_hash": update.model_hash,
        "layout_hash": update.layout_hash,
        "codec": encoded.codec,
        "examples": update.examples,
        "steps": update.steps,
        "metrics": {name: float(value) for name, value in update.metrics.items()},
        "audit_hash": update.audit_hash,
    }
    return pack(header, encoded.payload)


def unpack_update(data: Buffer, size: int, max_bytes: int | None = None) -> Update:
    """The update in these bytes; `size` is the numbers that the strategy expects (channels × layout).

    Bounds that need the plan (who, which round, how large) are admission's, not checked here.
    """
    limit = 4 * size + 12 + MAX_HEADER if max_bytes is None else max_bytes
    parcel = unpack(data, UPDATE_SCHEMA, limit)
    fields = {name: parcel.header[name] for name in FIELDS[UPDATE_SCHEMA] if name not in _SEALED}
    fields.pop("schema")
    vector = decode(Encoded(fields.pop("codec"), parcel.payload), size)
    return Update(vector=vector, **fields)


def _check_header(header: Mapping[str, Any]) -> None:
    fields = FIELDS.get(str(header.get("schema")))
    if fields is None:
        raise WireError("schema", "an unknown schema")
    if set(header) != set(fields):
        odd = sorted(set(header) ^ set(fields))[0]
        raise WireError("schema", f"field {odd[:40]!r} is missing or unknown")
    for name, kind in fields.items():
        value = header[name]
        if type(value) is not kind:
            raise WireError("schema", f"field {name!r} is not of type {kind.__name__}")
        if isinstance(value, str) and (len(value) > _TEXT or not value.isprintable()):
            raise WireError("schema", f"field {name!r} is too long or not printable")
        if name.endswith(("_hash", "_sha256")) and not is_hash(value):
            raise WireError("schema", f"field {name!r} is not a SHA-256")
        if name == "site" and not is_name(value):
            raise WireError("schema", "field 'site' is not a name")
        if isinstance(value, int) and not 0 <= value <= 2**53:
            raise WireError("bound", f"field {name!r} is out of range")
    for name, value in header.get("acknowledged", {}).items():
        if not is_name(name) or not is_hash(value):
            raise WireError("schema", "an acknowledgement is not a hash for a name")
    if "codec" in fields and header["codec"] not in CODECS:
        raise WireError("codec", f"codec {header['codec'][:20]!r} is not one of {', '.join(CODECS)}")
    if (strange := misfit(header.get("metrics", {}), METRICS)) is not None:
        raise WireError("schema", f"metric {strange[:40]!r} is unknown or out of its bounds")


def acknowledgement(message: Buffer, audit_hash: str) -> str:
    """What the aggregator says of an update that it accepted: a hash of it and of the site's seal in it.

    Only who has the message, or a record of it after exactly that seal, can make the same.
    """
    return hashlib.sha256((hashlib.sha256(message).hexdigest() + audit_hash).encode()).hexdigest()


def _no_constant(word: str) -> None:
    raise ValueError(word)
