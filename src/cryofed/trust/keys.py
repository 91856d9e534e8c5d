"""Private keys, and the fingerprints by which people compare public ones."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cryofed.disk.whole import write_whole
from cryofed.errors import InputError, MissingPackageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey
    PublicKey = RSAPublicKey | EllipticCurvePublicKey

KeyKind = Literal["rsa", "ec"]  # RSA of 2,048 bits, or the curve P-256
RSA_BITS = 2048


def need_cryptography() -> None:
    """Refuse in one line where the package that makes keys is not installed."""
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        raise MissingPackageError("cryptography", "flare")


def make_key(path: Path, kind: KeyKind) -> PrivateKey:
    """Make a private key and keep it in a file that only this user can read."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key: PrivateKey = (
        ec.generate_private_key(ec.SECP256R1())
        if kind == "ec"
        else rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    )
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_whole(path, text, mode=0o600)
    return key


def read_key(path: Path) -> PrivateKey:
    """Read a private key.

    Raises:
        InputError: no such file, or no key of a kind that is used here.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(path, "private key", short(error), "restore it from a backup, or renew") from None
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise InputError(path, "private key", type(key).__name__, "renew it")
    return key


def key_fingerprint(key: PublicKeyTypes) -> str:
    """SHA-256 over a public key of any kind (its SubjectPublicKeyInfo, DER)."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return fingerprint(hashlib.sha256(der).digest())


def fingerprint(digest: bytes) -> str:
    """`SHA256:AB:CD:…`, the form in which people read it to each other."""
    return "SHA256:" + digest.hex(":").upper()


def same_fingerprint(one: str, other: str) -> bool:
    """Compare as people type them: case, colons, blanks and the prefix do not matter."""

    def bare(text: str) -> str:
        return "".join(text.split()).upper().removeprefix("SHA256:").replace(":", "")

    return bool(bare(one)) and bare(one) == bare(other)


def short(error: Exception) -> str:
    """The first words of another package's error."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:120]
