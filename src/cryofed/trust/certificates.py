"""Certificates as they are read and checked; what people compare of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.errors import InputError
from cryofed.trust.keys import fingerprint, key_fingerprint, short
from cryofed.trust.requests import words_of

if TYPE_CHECKING:
    from cryptography import x509

_LARGEST = 200_000  # bytes; a certificate with its root has 3,000


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The part of a certificate that people compare."""

    name: str
    organization: str
    fingerprint: str  # of the public key
    issuer: str
    first_day: datetime
    last_day: datetime


def read_certificate(path: Path) -> Certificate:
    """Read the first certificate of a PEM file.

    Raises:
        InputError: there is none.
    """
    certificate = load_certificates(path, "join the federation again")[0]
    name, organization, _ = words_of(certificate.subject)
    return Certificate(
        name=name,
        organization=organization,
        fingerprint=key_fingerprint(certificate.public_key()),
        issuer=words_of(certificate.issuer)[0],
        first_day=certificate.not_valid_before_utc,
        last_day=certificate.not_valid_after_utc,
    )


def load_certificates(path: Path, remedy: str) -> list[x509.Certificate]:
    """All certificates of a PEM file; at least one.

    Raises:
        InputError: there is none, or the file is too large to be one.
    """
    from cryptography import x509

    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise InputError(path, "certificate", f"over {_LARGEST} bytes", remedy)
        return x509.load_pem_x509_certificates(content)
    except (OSError, ValueError) as error:
        raise InputError(path, "certificate", short(error), remedy) from None


def check_chain(
    leaf: x509.Certificate, root: x509.Certificate, path: Path, now: datetime | None = None
) -> None:
    """Refuse a certificate that `root` did not issue or that is not valid `now`.

    Raises:
        InputError: names the file and what to do.
    """
    from cryptography.exceptions import InvalidSignature

    now = now or datetime.now(UTC)
    try:
        leaf.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        found, remedy = "not issued by this federation's authority", "join it with its own invitation"
        raise InputError(path, "certificate", found, remedy) from None
    for role, one in (("certificate", leaf), ("authority", root)):
        if one.not_valid_after_utc < now:
            remedy = "renew it: `cryofed site join INVITATION --renew`, then the coordinator: approve --renew"
            raise InputError(path, role, f"expired on {one.not_valid_after_utc.date()}", remedy)
        if one.not_valid_before_utc > now:
            found = f"not valid before {one.not_valid_before_utc}"
            raise InputError(path, role, found, "set this machine's clock")


def authority_fingerprint(path: Path) -> str:
    """SHA-256 over the root certificate (DER)."""
    return root_fingerprint(load_certificates(path, "restore it from a backup")[0])


def root_fingerprint(root: x509.Certificate) -> str:
    """The same, of a certificate that was read."""
    from cryptography.hazmat.primitives import hashes

    return fingerprint(root.fingerprint(hashes.SHA256()))
