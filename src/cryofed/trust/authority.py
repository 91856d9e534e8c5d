"""The federation's authority: a root certificate, and the certificates that it signs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.disk.whole import write_whole
from cryofed.errors import FederationError
from cryofed.trust.certificates import authority_fingerprint
from cryofed.trust.keys import KeyKind, make_key, read_key
from cryofed.trust.requests import open_request, read_request, subject_of

if TYPE_CHECKING:
    from cryptography.x509 import CertificateBuilder, GeneralName, KeyUsage

_BEFORE = timedelta(minutes=5)  # clocks of other machines may be behind


def make_authority(folder: Path, name: str, days: int, kind: KeyKind) -> str:
    """Make the root certificate `root.pem` and its key `root.key` in `folder`.

    Returns:
        The root's fingerprint, which people compare by telephone.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    key = make_key(folder / "root.key", kind)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # The root's key is an EC key of ours; the type admits keys that sign nothing.
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    certificate = (
        _valid(x509.CertificateBuilder().subject_name(subject).issuer_name(subject), days)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_uses(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(issuer, critical=False)
        .sign(key, hashes.SHA256())
    )
    write_whole(folder / "root.pem", certificate.public_bytes(Encoding.PEM))
    return authority_fingerprint(folder / "root.pem")


def sign(folder: Path, request: Path, days: int, names: Sequence[str] = ()) -> bytes:
    """Sign a request: the certificate, and the root after it, as PEM.

    The certificate says what the request says and this file allows: name, organization, role and key. It is
    valid for `days`, at most as long as the root.

    Args:
        folder: of the authority.
        request: the file, whose contents somebody has compared and agreed to.
        days: that it is valid.
        names: other names and addresses of the machine, for an aggregator.

    Raises:
        InputError: the request is none.
        FederationError: the authority itself has expired.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import ExtendedKeyUsageOID

    asked, key = read_request(request), open_request(request).public_key()
    root = x509.load_pem_x509_certificate((folder / "root.pem").read_bytes())
    if root.not_valid_after_utc <= datetime.now(UTC):
        raise FederationError(f"{folder}: the authority has expired; found the federation anew")
    # The root's key is an EC key of ours; the type admits keys that sign nothing.
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())  # type: ignore[arg-type]  # RSA or EC
    both = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    uses = both if asked.role != "coordinator" else both[:1]
    subject = subject_of(asked.name, asked.organization, asked.role)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(root.subject)
    certificate = (
        _valid(builder, days, root.not_valid_after_utc)
        .public_key(key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_uses(digital_signature=True, key_encipherment=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(x509.SubjectAlternativeName([_named(n) for n in (asked.name, *names)]), critical=False)
        .sign(read_key(folder / "root.key"), hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM)


def _valid(builder: CertificateBuilder, days: int, latest: datetime | None = None) -> CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC)
    last = now + timedelta(days=days)
    return (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(min(last, latest) if latest else last)
    )


def _uses(**chosen: bool) -> KeyUsage:
    from cryptography import x509

    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: chosen.get(name, False) for name in names})


def _named(name: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
