"""A TPM's measured boot: which firmware, kernel and settings were started, by a key of this TPM.

It is a weaker proof than the others, and keeps a name of its own. The TPM sits beside the processor, not
in it: the machine's memory is not encrypted, and whoever owns the machine reads all that runs. No vendor
is asked; the attestation key is believed because an officer enrolled it by hand. Layout: TCG, TPM 2.0
Library, part 2, TPMS_ATTEST and TPMT_SIGNATURE.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryofed.errors import WireError
from cryofed.trust.attestation.binding import Binding, Exact, signed_for
from cryofed.trust.attestation.evidence import TpmQuote
from cryofed.trust.attestation.policy import TpmPolicy
from cryofed.trust.attestation.roots import Roots
from cryofed.trust.attestation.verdict import Check

PLATFORM = "TPM measured boot"
_MAGIC, _QUOTE = 0xFF544347, 0x8018
_SHA256, _RSASSA, _RSAPSS, _ECDSA = 0x000B, 0x0014, 0x0016, 0x0018


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The fields of a TPM's statement that are looked at."""

    extra_data: bytes
    registers: frozenset[int]  # of the SHA-256 bank
    digest: bytes  # over their values


class _Bytes:
    """Reads a TPM structure from its beginning; a read past its end refuses it."""

    def __init__(self, raw: bytes) -> None:
        self.left = raw

    def take(self, size: int) -> bytes:
        if size > len(self.left):
            raise WireError("format", "the TPM's structure is cut")
        taken, self.left = self.left[:size], self.left[size:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def sized(self) -> bytes:
        return self.take(self.number(2))

    def end(self) -> None:
        if self.left:
            raise WireError("format", "bytes follow the TPM's structure")


def read_quote(raw: bytes) -> Quote:
    """The fields of a quote.

    Raises:
        WireError: another structure, or registers of another bank than SHA-256.
    """
    part = _Bytes(raw)
    if (part.number(4), part.number(2)) != (_MAGIC, _QUOTE):
        raise WireError("format", "not a quote that a TPM made")
    part.sized()  # whose key signed: the key itself is checked
    extra = part.sized()
    part.take(17 + 8)  # clock and firmware version
    if part.number(4) != 1 or part.number(2) != _SHA256:
        raise WireError("format", "the quote is not of SHA-256 registers alone")
    bits = int.from_bytes(part.take(part.number(1)), "little")
    digest = part.sized()
    part.end()
    registers = frozenset(index for index in range(bits.bit_length()) if bits >> index & 1)
    return Quote(extra_data=extra, registers=registers, digest=digest)


def measured(evidence: TpmQuote) -> dict[str, str]:
    """What the quote says of the machine, for a person and for a draft of a policy."""
    quote = read_quote(evidence.attest)
    return {
        "measurement": quote.digest.hex(),
        "key": hashlib.sha256(evidence.key).hexdigest(),
        "registers": ", ".join(str(number) for number in sorted(quote.registers)),
    }


def checks(
    evidence: TpmQuote, policy: TpmPolicy | None, binding: Binding | Exact, now: datetime, roots: Roots
) -> Iterator[Check]:
    """Every check of a quote. There is no certificate: neither `now` nor `roots` matters here.

    Raises:
        WireError: the quote or the signature cannot be read at all.
    """
    quote = read_quote(evidence.attest)
    signed = _signed(evidence)
    yield Check(
        "signature", signed, f"the attestation key {'signed' if signed else 'did not sign'} this quote"
    )
    yield signed_for("report-data", quote.extra_data, binding.short)
    numbers = tuple(number for number, _ in evidence.pcrs)
    yield Check(
        "registers",
        numbers == tuple(sorted(quote.registers)),
        f"{len(numbers)} registers told, {len(quote.registers)} quoted",
    )
    digest = hashlib.sha256(b"".join(value for _, value in evidence.pcrs)).digest()
    yield Check("values", digest == quote.digest, "the registers' values are those that were quoted")
    if policy is None:
        yield Check("policy", False, "the policy accepts no TPM's measured boot")
        return
    key = hashlib.sha256(evidence.key).hexdigest()
    known = key in policy.keys
    yield Check("root", known, f"attestation key {key} was {'' if known else 'not '}enrolled")
    missing = sorted(int(number) for number in policy.registers if int(number) not in quote.registers)
    yield Check("selection", not missing, f"registers that are missing: {missing or 'none'}")
    known = quote.digest.hex() in policy.measurements
    yield Check(
        "measurement", known, f"boot {quote.digest.hex()} is {'' if known else 'not '}in the agreement"
    )


def _signed(evidence: TpmQuote) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key: Any = load_der_public_key(evidence.key)
    except (ValueError, UnsupportedAlgorithm):
        raise WireError("format", "the attestation key cannot be read") from None
    part = _Bytes(evidence.signature)
    algorithm, digest = part.number(2), part.number(2)
    if digest != _SHA256:
        return False
    sha256 = hashes.SHA256()
    try:
        if algorithm == _ECDSA and isinstance(key, ec.EllipticCurvePublicKey):
            r, s = (int.from_bytes(part.sized(), "big") for _ in range(2))
            part.end()
            key.verify(utils.encode_dss_signature(r, s), evidence.attest, ec.ECDSA(sha256))
        elif algorithm in (_RSASSA, _RSAPSS) and isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
            signature = part.sized()
            part.end()
            # A TPM's salt is as long as the digest, or as long as fits; `AUTO` reads either.
            pss = padding.PSS(padding.MGF1(sha256), padding.PSS.AUTO)
            key.verify(
                signature, evidence.attest, padding.PKCS1v15() if algorithm == _RSASSA else pss, sha256
            )
        else:
            return False
    except InvalidSignature:
        return False
    return True
