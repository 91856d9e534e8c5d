"""NVIDIA Hopper in confidential mode: the GPU's report over SPDM, signed by the GPU.

It proves that a genuine Hopper GPU answered this nonce, with which driver and VBIOS. It says nothing of
the program, so it counts only beside a machine's evidence. The report's measurements are not compared
with NVIDIA's reference values (RIM), which come from NVIDIA's service. Layout: DMTF DSP0274, SPDM 1.1,
GET_MEASUREMENTS and MEASUREMENTS; NVIDIA's opaque fields as in its own verifier (BSD-3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryofed.errors import WireError
from cryofed.trust.attestation.binding import Binding, Exact, signed_for
from cryofed.trust.attestation.certificates import chain_checks, key_pin, load, name
from cryofed.trust.attestation.evidence import GpuReport
from cryofed.trust.attestation.policy import GpuPolicy
from cryofed.trust.attestation.roots import Roots
from cryofed.trust.attestation.verdict import Check

PLATFORM = "NVIDIA Hopper GPU"
_REQUEST, _SIGNATURE = 37, 96  # bytes
_DRIVER, _VBIOS = 3, 6  # opaque fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The fields of a report that are looked at."""

    nonce: bytes  # 32, of the request
    driver: str
    vbios: str
    signed: bytes
    r: int
    s: int


def read_report(raw: bytes) -> Report:
    """The report's fields.

    Raises:
        WireError: lengths that do not fit each other, or another message.
    """
    at = _REQUEST
    if len(raw) < at + 42 + _SIGNATURE or raw[:2] != b"\x11\xe0" or raw[at : at + 2] != b"\x11\x60":
        raise WireError("format", "not an SPDM 1.1 request and response for measurements")
    at += 8 + int.from_bytes(raw[at + 5 : at + 8], "little") + 32
    end = at + 2 + int.from_bytes(raw[at : at + 2], "little")
    if end + _SIGNATURE != len(raw):
        raise WireError("format", "the report's lengths do not fit")
    opaque = _opaque(raw[at + 2 : end])
    return Report(
        nonce=raw[4:36],
        driver=opaque.get(_DRIVER, b"").split(b"\0")[0].decode("ascii", "replace"),
        vbios=_version(opaque.get(_VBIOS, b"")),
        signed=raw[:end],
        r=int.from_bytes(raw[end : end + 48], "big"),
        s=int.from_bytes(raw[end + 48 :], "big"),
    )


def measured(evidence: GpuReport) -> dict[str, str]:
    """What the report says of the GPU."""
    report = read_report(evidence.report)
    return {"driver": report.driver, "VBIOS": report.vbios}


def checks(
    evidence: GpuReport, policy: GpuPolicy | None, binding: Binding | Exact, now: datetime, roots: Roots
) -> Iterator[Check]:
    """Every check of a GPU's report; codes begin with `gpu-`.

    Raises:
        WireError: the report or a certificate cannot be read at all.
    """
    report = read_report(evidence.report)
    if not 3 <= len(evidence.chain) <= 8:
        raise WireError("format", f"{len(evidence.chain)} certificates above the GPU's key")
    chain = [load(der, f"GPU certificate {number}") for number, der in enumerate(evidence.chain, 1)]
    pin = key_pin(chain[-1].public_key())
    known = pin == roots.nvidia
    yield Check("gpu-root", known, "NVIDIA's device root" if known else f"root key {pin} is not NVIDIA's")
    for check in chain_checks(chain, now):
        yield Check(f"gpu-{check.code}", check.passed, check.words)
    # Other generations have the same root; the certificate below it names the generation.
    line = name(chain[-2])
    yield Check("gpu-product", "GH100" in line, f"certified as {line}; Hopper is GH100")
    yield _signature(report, chain[0].public_key())
    yield signed_for("gpu-nonce", report.nonce, binding.short)
    if policy is None:
        yield Check("gpu-policy", False, "the policy accepts no GPU")
        return
    for code, word, value, agreed in (
        ("gpu-driver", "driver", report.driver, policy.drivers),
        ("gpu-vbios", "VBIOS", report.vbios, policy.firmwares),
    ):
        listed = value in agreed
        yield Check(code, listed, f"{word} {value} is {'' if listed else 'not '}in the agreement")


def _opaque(raw: bytes) -> dict[int, bytes]:
    fields, at = {}, 0
    while at < len(raw):
        if at + 4 > len(raw):
            raise WireError("format", "an opaque field is cut")
        kind, size = (int.from_bytes(raw[at + i : at + i + 2], "little") for i in (0, 2))
        if at + 4 + size > len(raw):
            raise WireError("format", "an opaque field is cut")
        fields[kind] = raw[at + 4 : at + 4 + size]
        at += 4 + size
    return fields


def _version(raw: bytes) -> str:
    """Eight bytes as NVIDIA prints them: the upper word first, then one byte of the lower."""
    if len(raw) != 8:
        return ""
    upper, lower = raw[3::-1], raw[4:5]
    return ".".join(f"{byte:02X}" for byte in upper + lower)


def _signature(report: Report, key: Any) -> Check:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    bad = Check("gpu-signature", False, "the GPU did not sign this report")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        return bad
    try:
        key.verify(utils.encode_dss_signature(report.r, report.s), report.signed, ec.ECDSA(hashes.SHA384()))
    except InvalidSignature:
        return bad
    return Check("gpu-signature", True, "the GPU signed this report")
