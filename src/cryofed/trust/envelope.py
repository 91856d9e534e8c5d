"""Signed documents: DSSE envelopes with one Ed25519 signature.

The format is that of in-toto and Sigstore (Dead Simple Signing Envelope 1.0.2). securesystemslib has it too,
but would only bring the same ten lines: it leaves Ed25519 to `cryptography`, and it bounds nothing that a
hostile file may hold.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryofed.disk.whole import write_whole
from cryofed.errors import InputError, WireError
from cryofed.trust.documents import blob, canonical, record, text
from cryofed.trust.keys import key_fingerprint, same_fingerprint, short

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_KEY_BYTES, _SIGNATURE_BYTES = 32, 64


def make_signing_key(path: Path) -> str:
    """Make a key that signs documents, in a file that only this user can read; its fingerprint."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    return key_fingerprint(key.public_key())


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read a key that signs documents.

    Raises:
        InputError: no such file, or another kind of key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        loaded = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(path, "signing key", short(error), "restore it from a backup") from None
    if not isinstance(loaded, Ed25519PrivateKey):
        raise InputError(path, "signing key", type(loaded).__name__, "restore it from a backup")
    return loaded


def seal(kind: str, payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """The payload in an envelope.

    Args:
        kind: a media type that says what the payload is; it is signed, too.
        payload: the bytes.
        key: of the signer. Its public half is the envelope's `keyid`: a hint, and the reader's pin decides.
    """
    document = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": kind,
        "signatures": [
            {
                "keyid": base64.b64encode(key.public_key().public_bytes_raw()).decode(),
                "sig": base64.b64encode(key.sign(signed_bytes(kind, payload))).decode(),
            }
        ],
    }
    return canonical(document)


def opened(data: bytes, kind: str, signer: str, most: int) -> bytes:
    """The payload of an envelope that this signer has signed.

    Args:
        data: the envelope; nothing in it is trusted.
        kind: that the payload must be of.
        signer: fingerprint of the public key that is trusted.
        most: bytes that the payload may have.

    Raises:
        WireError: too long, no envelope, of another kind (`envelope`); by another key (`foreign`); changed
            since it was signed (`signature`).
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    fields = _fields(data, most)
    if fields["payloadType"] != kind:
        raise WireError("envelope", f"holds a {fields['payloadType']}, not a {kind}")
    (signature,) = fields["signatures"]
    key = Ed25519PublicKey.from_public_bytes(signature["keyid"])
    if not same_fingerprint(key_fingerprint(key), signer):
        raise WireError("foreign", f"signed by the key {key_fingerprint(key)}, not by {signer}")
    try:
        key.verify(signature["sig"], signed_bytes(kind, fields["payload"]))
    except InvalidSignature:
        raise WireError("signature", "changed since it was signed") from None
    payload: bytes = fields["payload"]
    return payload


def signed_bytes(kind: str, payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %b %d %b" % (len(kind.encode()), kind.encode(), len(payload), payload)


def _fields(data: bytes, most: int) -> dict[str, Any]:
    if len(data) > 2 * most + 2000:
        raise WireError("envelope", f"{len(data)} bytes are too many")
    signature = record({"keyid": _sized(_KEY_BYTES), "sig": _sized(_SIGNATURE_BYTES)})
    fields = {
        "payload": blob(most),
        "payloadType": text(),
        "signatures": lambda value: _one(signature, value),
    }
    try:
        return record(fields)(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise WireError("envelope", f"not a signed document ({str(error)[:80]})") from None


def _sized(size: int) -> Any:
    def read(value: Any) -> bytes:
        data_read: bytes = blob(size)(value)
        if len(data_read) != size:
            raise ValueError(f"not {size} bytes")
        return data_read

    return read


def _one(signature: Any, value: Any) -> tuple[Any]:
    if not isinstance(value, list) or len(value) != 1:
        raise ValueError("not one signature")
    return (signature(value[0]),)
