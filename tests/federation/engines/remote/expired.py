"""A certificate whose last day is over."""

from __future__ import annotations

import datetime
from pathlib import Path


def expire(path: Path, authority: Path) -> None:
    """The same certificate again, signed by the same authority, but valid until yesterday."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

    old = x509.load_pem_x509_certificate(path.read_bytes())
    key = load_pem_private_key((authority / "root.key").read_bytes(), None)
    now = datetime.datetime.now(datetime.UTC)
    new = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(old.public_key())
        .serial_number(old.serial_number)
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now - datetime.timedelta(days=1))
    )
    for extension in old.extensions:
        new = new.add_extension(extension.value, extension.critical)
    path.write_bytes(new.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))  # type: ignore[arg-type]
