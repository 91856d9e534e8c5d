"""Signatures by a site's identity, whatever kind its engine needs: Ed25519, ECDSA (P-256, P-384), RSA-PSS."""

from __future__ import annotations

from typing import Any

from cryofed.errors import FederationError

RSA_BITS = 2048  # no shorter key counts


def sign(key: Any, message: bytes) -> bytes:
    """The message's signature by a private key.

    Raises:
        FederationError: a key of another kind.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= RSA_BITS:
        return key.sign(message, *_pss())
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _curves():
        return key.sign(message, ec.ECDSA(_curves()[key.curve.name]))
    raise FederationError(
        f"a {type(key).__name__} cannot sign masks' keys; make an identity of Ed25519, EC P-256 or RSA"
    )


def public_bytes(key: Any) -> bytes:
    """The public half of a private key, as DER."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    encoded: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def public_key(data: bytes) -> Any:
    """The public key in these bytes; None where there is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        return load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return None


def signature_holds(key: Any, signature: bytes, message: bytes) -> bool:
    """Whether the owner of this public key signed the message; False for a key of another kind."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
            return True
        if isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS:
            key.verify(signature, message, *_pss())
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _curves():
            key.verify(signature, message, ec.ECDSA(_curves()[key.curve.name]))
            return True
    except InvalidSignature:
        return False
    return False


def _pss() -> tuple[Any, Any]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    return padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH), hashes.SHA256()


def _curves() -> dict[str, Any]:
    from cryptography.hazmat.primitives import hashes

    return {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384()}
