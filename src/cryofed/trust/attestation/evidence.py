"""Evidence as it travels: one machine's report, its GPUs' reports, and what all of them were made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryofed.trust.attestation.binding import Binding, binding_fields, read_binding
from cryofed.trust.documents import (
    Reader,
    base64_text,
    blob,
    hexadecimal,
    items,
    optional,
    read_document,
    record,
    text,
    whole,
    write_document,
)

SCHEMA = "cryofed.evidence/1"
MAX_BYTES = 1 << 20  # a document; real ones have 8 to 60 kB
_MAX_PART = 1 << 18  # bytes of one report, certificate or collateral
_MAX_GPUS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpReport:
    """AMD SEV-SNP: the chip's report and the certificates above its key, all DER."""

    report: bytes  # 1,184
    vcek: bytes
    ask: bytes
    ark: bytes
    crl: bytes | None = None  # AMD's list of revoked keys


@dataclass(frozen=True, slots=True, kw_only=True)
class IntelQuote:
    """Intel TDX or SGX: the quote, and Intel's collateral as dcap-qvl writes it (JSON)."""

    quote: bytes
    collateral: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmQuote:
    """A TPM's statement of how the machine booted."""

    attest: bytes  # TPMS_ATTEST
    signature: bytes  # TPMT_SIGNATURE
    key: bytes  # the attestation key's SubjectPublicKeyInfo, DER
    pcrs: tuple[tuple[int, bytes], ...]  # (register, its SHA-256 value), ascending


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuReport:
    """NVIDIA: SPDM request and response as one string of bytes, and the certificates, leaf first, DER."""

    report: bytes
    chain: tuple[bytes, ...]


Machine = SnpReport | IntelQuote | TpmQuote


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that one participant shows."""

    machine: Machine | None
    gpus: tuple[GpuReport, ...] = ()
    claims: Binding | None = None  # what it says that it was made for; the signed bytes prove it


def read_evidence(data: bytes) -> Evidence:
    """Evidence from another machine; only its form is checked here.

    Raises:
        WireError: not such a document.
    """
    fields = read_document(data, SCHEMA, _FIELDS, MAX_BYTES)
    return Evidence(machine=fields["machine"], gpus=fields["gpus"], claims=fields["claims"])


def write_evidence(evidence: Evidence) -> bytes:
    """The document that `read_evidence` reads."""
    machine = None if evidence.machine is None else _machine_fields(evidence.machine)
    gpus = [
        {"report": base64_text(gpu.report), "chain": [base64_text(c) for c in gpu.chain]}
        for gpu in evidence.gpus
    ]
    claims = None if evidence.claims is None else binding_fields(evidence.claims)
    return write_document(SCHEMA, {"machine": machine, "gpus": gpus, "claims": claims})


def _machine_fields(machine: Machine) -> dict[str, Any]:
    if isinstance(machine, SnpReport):
        parts = {name: base64_text(getattr(machine, name)) for name in ("report", "vcek", "ask", "ark")}
        return {"kind": "snp", **parts, "crl": None if machine.crl is None else base64_text(machine.crl)}
    if isinstance(machine, IntelQuote):
        return {
            "kind": "intel",
            "quote": base64_text(machine.quote),
            "collateral": base64_text(machine.collateral),
        }
    return {
        "kind": "tpm",
        "attest": base64_text(machine.attest),
        "signature": base64_text(machine.signature),
        "key": base64_text(machine.key),
        "pcrs": [{"number": number, "value": value.hex()} for number, value in machine.pcrs],
    }


def _pcr(value: Any) -> tuple[int, bytes]:
    fields = record({"number": whole(0, 23), "value": hexadecimal(32)})(value)
    return fields["number"], fields["value"]


def _gpu(value: Any) -> GpuReport:
    return GpuReport(**record({"report": blob(_MAX_PART), "chain": items(blob(_MAX_PART), 8)})(value))


def _machine(value: Any) -> Machine:
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(f"its kind is not one of {', '.join(_KINDS)}")
    make, fields = _KINDS[kind]
    given = record({"kind": text(), **fields})(value)
    given.pop("kind")
    machine: Machine = make(**given)
    return machine


_PART = blob(_MAX_PART)
_KINDS: Mapping[str, tuple[type, Mapping[str, Reader]]] = {
    "snp": (
        SnpReport,
        {"report": _PART, "vcek": _PART, "ask": _PART, "ark": _PART, "crl": optional(_PART)},
    ),
    "intel": (IntelQuote, {"quote": _PART, "collateral": _PART}),
    "tpm": (TpmQuote, {"attest": _PART, "signature": _PART, "key": _PART, "pcrs": items(_pcr, 24)}),
}
_FIELDS: Mapping[str, Reader] = {
    "machine": optional(_machine),
    "gpus": items(_gpu, _MAX_GPUS),
    "claims": optional(read_binding),
}
