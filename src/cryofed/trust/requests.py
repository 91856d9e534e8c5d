"""A request to sign a public key: a PEM file (PKCS #10) that its owner's private key has signed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.disk.whole import write_whole
from cryofed.errors import InputError
from cryofed.trust.keys import KeyKind, key_fingerprint, make_key, short

if TYPE_CHECKING:
    from cryptography.x509 import CertificateSigningRequest, Name, ObjectIdentifier

SUFFIX = ".request.pem"
_LARGEST = 100_000  # bytes; a real request has 1,000
# Our role, and the word for it in requests and certificates, where NVIDIA FLARE reads it.
ROLES = {"site": "client", "aggregator": "server", "coordinator": "lead"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What someone asks the coordinator to sign."""

    name: str
    organization: str
    role: str  # site | aggregator | coordinator
    fingerprint: str  # of the public key


def make_request(folder: Path, asked: Request, kind: KeyKind) -> Path:
    """Make a private key in `folder`, and beside it the request to send (no private key is inside).

    Args:
        folder: of both files: `key.pem` and `NAME.request.pem`.
        asked: name, organization and role; its fingerprint is not read.
        kind: of the key.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    key = make_key(folder / "key.pem", kind)
    subject = subject_of(asked.name, asked.organization, asked.role)
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    path = folder / f"{asked.name}{SUFFIX}"
    write_whole(path, request.public_bytes(Encoding.PEM))
    return path


def read_request(path: Path) -> Request:
    """What a request asks for; refused unless its key has signed it.

    Raises:
        InputError: no request, too large, or not signed by its own key.
    """
    csr = open_request(path)
    name, organization, word = words_of(csr.subject)
    role = next((ours for ours, theirs in ROLES.items() if theirs == word), word)
    key = csr.public_key()
    return Request(name=name, organization=organization, role=role, fingerprint=key_fingerprint(key))


def open_request(path: Path) -> CertificateSigningRequest:
    """The request itself; see `read_request`."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    remedy = f"give the NAME{SUFFIX} of `site join`"
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise InputError(path, "request", f"over {_LARGEST} bytes", remedy)
        csr = x509.load_pem_x509_csr(content)
        key, signed = csr.public_key(), csr.is_signature_valid
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(path, "request", short(error), remedy) from None
    if not isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
        raise InputError(path, "request", f"a key of the kind {type(key).__name__}", remedy)
    if not signed:
        raise InputError(path, "request", "words and key do not agree", "ask the site for a new request")
    return csr


def subject_of(name: str, organization: str, role: str) -> Name:
    """Name, organization and role as a certificate's subject."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    words = (
        (NameOID.COMMON_NAME, name),
        (NameOID.ORGANIZATION_NAME, organization),
        (NameOID.UNSTRUCTURED_NAME, ROLES.get(role, role)),
    )
    return x509.Name([x509.NameAttribute(oid, word) for oid, word in words])


def words_of(subject: Name) -> tuple[str, str, str]:
    """Name, organization and the word for the role; empty where the subject has none, or several."""
    from cryptography.x509.oid import NameOID

    def word(oid: ObjectIdentifier) -> str:
        attributes = subject.get_attributes_for_oid(oid)
        return str(attributes[0].value) if len(attributes) == 1 else ""

    return word(NameOID.COMMON_NAME), word(NameOID.ORGANIZATION_NAME), word(NameOID.UNSTRUCTURED_NAME)
