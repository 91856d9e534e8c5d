"""Signatures by a site's identity: Ed25519, or ECDSA on P-256 and P-384."""

from __future__ import annotations

from typing import Any

from cryofed.errors import FederationError


def sign(key: Any, message: bytes) -> bytes:
    """The message's signature by a private key.

    Raises:
        FederationError: a key of another kind.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _curves():
        return key.sign(message, ec.ECDSA(_curves()[key.curve.name]))
    raise FederationError(
        f"a {type(key).__name__} cannot sign masks' keys; make an identity of Ed25519 or EC P-256"
    )


def signature_holds(key: Any, signature: bytes, message: bytes) -> bool:
    """Whether the owner of this public key signed the message; False for a key of another kind."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _curves():
            key.verify(signature, message, ec.ECDSA(_curves()[key.curve.name]))
            return True
    except InvalidSignature:
        return False
    return False


def _curves() -> dict[str, Any]:
    from cryptography.hazmat.primitives import hashes

    return {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384()}
