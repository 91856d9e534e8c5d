"""What evidence is made for: the 64 bytes that the chip signs name one role, key, nonce and agreement.

SNP, TDX and SGX sign 64 bytes of the caller's (`report_data`); a GPU's report and a TPM's quote sign 32
(`short`). Both are hashes of the same six fields, so that the evidence of one machine names itself
throughout, and evidence that was made for anything else does not pass for this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryofed.trust.attestation.verdict import Check
from cryofed.trust.documents import hexadecimal, record, text

CONTEXT = b"cryofed-attest-v1"
ROLES = ("site", "aggregator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What one piece of evidence is for."""

    role: str  # one of ROLES
    name: str  # of the site or the aggregator, as in the agreement
    federation: str
    tls_key: bytes  # 32: SHA-256 of the TLS certificate's SubjectPublicKeyInfo
    nonce: bytes  # 32, random, chosen by who verifies
    agreement: bytes  # 32: SHA-256 of the signed agreement

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"role must be one of {', '.join(ROLES)}, got {self.role!r}")
        for field in ("tls_key", "nonce", "agreement"):
            if len(getattr(self, field)) != 32:
                raise ValueError(f"{field} must be 32 bytes, got {len(getattr(self, field))}")

    @property
    def report_data(self) -> bytes:
        """64 bytes: SHA-512 over the fields, each after its length."""
        return hashlib.sha512(self._spelled()).digest()

    @property
    def short(self) -> bytes:
        """32 bytes: SHA-256 over the same, where a chip signs no more."""
        return hashlib.sha256(self._spelled()).digest()

    def _spelled(self) -> bytes:
        texts = [CONTEXT, self.role.encode(), self.name.encode(), self.federation.encode()]
        parts = [*texts, self.tls_key, self.nonce, self.agreement]
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """The signed bytes themselves, for evidence that another program asked for."""

    report_data: bytes = b""
    short: bytes = b""


# field: what a foreign one means. The order is the order of the checks.
WORDS = {
    "role": "role",
    "name": "name",
    "federation": "federation",
    "tls_key": "TLS key",
    "nonce": "nonce",
    "agreement": "agreement",
}


def binding_checks(claims: Binding | None, wanted: Binding | Exact) -> Iterator[Check]:
    """Whether the evidence says that it is for `wanted`, by field; `signed_for` compares the signed bytes."""
    if isinstance(wanted, Exact):
        return
    if claims is None:
        yield Check("binding", False, "the evidence does not say what it was made for")
        return
    for field, word in WORDS.items():
        claimed, asked = (_shown(getattr(which, field)) for which in (claims, wanted))
        code = field.replace("_", "-")
        words = f"{word} {claimed}" if claimed == asked else f"{word} {claimed}, asked for was {asked}"
        yield Check(code, claimed == asked, f"made for {words}")


def signed_for(code: str, signed: bytes, wanted: bytes) -> Check:
    """Whether the bytes that the chip signed are the hash of what the evidence should be for."""
    verb = "are" if signed == wanted else "are not"
    return Check(code, signed == wanted, f"the bytes that the chip signed {verb} those of this binding")


def binding_fields(binding: Binding) -> dict[str, str]:
    """A binding as a document's fields."""
    return {
        field: value.hex() if isinstance(value, bytes) else value
        for field in WORDS
        for value in (getattr(binding, field),)
    }


def read_binding(value: Any) -> Binding:
    """A binding in a document.

    Raises:
        ValueError: a field is missing, unknown or wrong.
    """
    return Binding(**_FIELDS(value))


def _shown(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()


_FIELDS = record(
    {
        "role": text(16),
        "name": text(),
        "federation": text(),
        "tls_key": hexadecimal(32),
        "nonce": hexadecimal(32),
        "agreement": hexadecimal(32),
    }
)
