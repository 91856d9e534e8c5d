"""Certificates above a report's key: read, in date, each issued by the next."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from cryofed.errors import MissingPackageError, WireError
from cryofed.trust.attestation.verdict import Check


def load(der: bytes, role: str) -> Any:
    """An `x509.Certificate`.

    Raises:
        WireError: not a certificate in DER, or a part of it cannot be read.
    """
    x509 = x509_module()
    try:
        with warnings.catch_warnings():
            # AMD gives every VCEK the serial number 0, which cryptography intends to refuse some day.
            warnings.simplefilter("ignore")
            certificate = x509.load_der_x509_certificate(der)
            # Its parts are read when they are first asked for; a bad one must be found here.
            _ = (certificate.subject, certificate.issuer, certificate.extensions, certificate.public_key())
            _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
            return certificate
    except Exception:
        # cryptography raises half a dozen kinds, some of them its own; each means the same.
        raise WireError("format", f"{role} is not a certificate that can be read") from None


def x509_module() -> Any:
    """`cryptography.x509`, or one line that says how to install it."""
    try:
        from cryptography import x509
    except ImportError:  # pragma: no cover - the tests have it
        raise MissingPackageError("cryptography", "trust") from None
    return x509


def key_pin(key: Any) -> str:
    """SHA-256 over a public key's SubjectPublicKeyInfo, in hex."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def name(certificate: Any) -> str:
    """The common name, for a person."""
    x509 = x509_module()
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value)[:60] if names else "(no name)"


def chain_checks(chain: Sequence[Any], now: datetime) -> Iterator[Check]:
    """Leaf first: every certificate in date, an authority where it must be, issued by the next.

    The last one must have issued itself; whether it is one that we believe is for the caller to say.
    """
    stale = [c for c in chain if not c.not_valid_before_utc <= now <= c.not_valid_after_utc]
    for one in stale:
        until = f"{one.not_valid_before_utc:%Y-%m-%d} to {one.not_valid_after_utc:%Y-%m-%d}"
        yield Check("expired", False, f"certificate {name(one)} is valid from {until}, not at {now:%Y-%m-%d}")
    if not stale:
        yield Check("expired", True, f"all {len(chain)} certificates are in date")
    broken = [
        f"{name(issuer)} did not issue {name(child)}"
        for child, issuer in zip(chain, [*chain[1:], chain[-1]], strict=True)
        if not _issued(child, issuer)
    ]
    words = broken[0] if broken else " ← ".join(name(c) for c in chain)
    yield Check("chain", not broken, words)


def _issued(child: Any, issuer: Any) -> bool:
    """Whether `issuer`, an authority, signed `child`: names and signature."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    x509 = x509_module()
    try:
        authority = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        if not authority or not isinstance(issuer.public_key(), rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            return False
        child.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound, x509.DuplicateExtension):
        return False
    return True
