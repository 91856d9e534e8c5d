"""AMD SEV-SNP: the report of a confidential virtual machine, signed by the processor.

Layout: AMD, SEV Secure Nested Paging Firmware ABI (56860), table ATTESTATION_REPORT; certificates: AMD,
VCEK Certificate and KDS Interface Specification (57230). Milan and Genoa; Turin keeps its security
versions in another order and is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryofed.errors import WireError
from cryofed.trust.attestation.binding import Binding, Exact, signed_for
from cryofed.trust.attestation.certificates import chain_checks, key_pin, load, x509_module
from cryofed.trust.attestation.evidence import SnpReport
from cryofed.trust.attestation.policy import SnpPolicy
from cryofed.trust.attestation.roots import Roots
from cryofed.trust.attestation.verdict import Check

PLATFORM = "AMD SEV-SNP"
LENGTH = 0x4A0  # bytes of a report
SIGNED = 0x2A0  # of which these are signed
VERSIONS = (2, 3, 5)  # of the layout; all three agree on what is read here
_OID = "1.3.6.1.4.1.3704.1."
# name: its byte in the report's security version, and the certificate's extension. Milan and Genoa.
TCB = {
    "bootloader": (0, _OID + "3.1"),
    "tee": (1, _OID + "3.2"),
    "snp": (6, _OID + "3.3"),
    "microcode": (7, _OID + "3.8"),
}
_RESERVED = ((0x4C, 0x50), (0x2E8 - 24, 0x2E8), (0x330 - 24, LENGTH))  # must be zero, signed or not
_SMT, _MUST_BE_ONE, _MIGRATION, _DEBUG = (1 << bit for bit in (16, 17, 18, 19))  # of the guest's policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The fields of a report that are looked at."""

    version: int
    policy: int  # 64 bits
    vmpl: int
    algorithm: int
    flags: int  # who signed, whether the chip's id is masked
    report_data: bytes  # 64
    measurement: bytes  # 48
    host_data: bytes  # 32
    reported_tcb: bytes  # 8
    chip: bytes  # 64
    reserved_zero: bool

    @property
    def tcb(self) -> Mapping[str, int]:
        """Security versions by name."""
        return {part: self.reported_tcb[index] for part, (index, _) in TCB.items()}


def read_report(raw: bytes) -> Report:
    """The report's fields.

    Raises:
        WireError: another length.
    """
    if len(raw) != LENGTH:
        raise WireError("format", f"a report of {len(raw)} bytes, SEV-SNP's has {LENGTH}")

    def number(start: int, size: int) -> int:
        return int.from_bytes(raw[start : start + size], "little")

    return Report(
        version=number(0, 4),
        policy=number(8, 8),
        vmpl=number(0x30, 4),
        algorithm=number(0x34, 4),
        flags=number(0x48, 4),
        report_data=raw[0x50:0x90],
        measurement=raw[0x90:0xC0],
        host_data=raw[0xC0:0xE0],
        reported_tcb=raw[0x180:0x188],
        chip=raw[0x1A0:0x1E0],
        reserved_zero=not any(any(raw[start:end]) for start, end in _RESERVED),
    )


def measured(evidence: SnpReport) -> dict[str, str]:
    """What the report says of the machine, for a person and for a draft of a policy."""
    report = read_report(evidence.report)
    return {
        "measurement": report.measurement.hex(),
        "host_data": report.host_data.hex(),
        "chip": report.chip.hex(),
        "guest policy": f"{report.policy:#x}",
        "security versions": ", ".join(f"{part} {value}" for part, value in report.tcb.items()),
    }


def checks(
    evidence: SnpReport, policy: SnpPolicy | None, binding: Binding | Exact, now: datetime, roots: Roots
) -> Iterator[Check]:
    """Every check of a report; all of them are made, whichever fails.

    Raises:
        WireError: the report or a certificate cannot be read at all.
    """
    report = read_report(evidence.report)
    vcek, ask, ark = (load(getattr(evidence, name), name.upper()) for name in ("vcek", "ask", "ark"))
    pin = key_pin(ark.public_key())
    line = next((line for line, known in roots.amd.items() if known == pin), None)
    yield Check(
        "root", line is not None, f"AMD's root key for {line}" if line else f"root key {pin} is not AMD's"
    )
    yield _product(_text(vcek, _OID + "2"), line)
    yield from chain_checks((vcek, ask, ark), now)
    yield _crl(evidence.crl, policy, ask, ark, now)
    yield _signature(evidence.report, vcek.public_key())
    yield Check(
        "version", report.version in VERSIONS,
        f"layout {report.version}" + ("" if report.version in VERSIONS else f", not one of {VERSIONS}"),
    )  # fmt: skip
    yield Check("algorithm", report.algorithm == 1, f"algorithm {report.algorithm}; 1 is ECDSA P-384")
    yield Check("reserved", report.reserved_zero, "bytes without a meaning are zero")
    key = (report.flags >> 2) & 7
    yield Check("signing-key", key == 0, f"signed by key {key}; 0 is the chip's own (VCEK)")
    yield Check("flags", report.flags >> 5 == 0, "flags without a meaning are zero")
    same = _bytes(vcek, _OID + "4") == report.chip and not report.flags & 2
    yield Check("chip", same, f"certificate and report {'are' if same else 'are not'} of the same chip")
    for part, (index, oid) in TCB.items():
        certified, reported = _whole(vcek, oid), report.reported_tcb[index]
        yield Check(
            "tcb", certified == reported, f"{part} version {reported}, the certificate says {certified}"
        )
    yield Check("debug", not report.policy & _DEBUG, _yes("the host may not debug the guest", report, _DEBUG))
    bit = bool(report.policy & _MUST_BE_ONE)
    yield Check("guest-policy", bit, f"the guest policy's fixed bit is {int(bit)}; 1 is right")
    yield Check("vmpl", report.vmpl == 0, f"asked for at privilege level {report.vmpl}; 0 is the highest")
    yield signed_for("report-data", report.report_data, binding.report_data)
    if policy is None:
        yield Check("policy", False, "the policy accepts no AMD SEV-SNP machine")
        return
    yield from _agreed(report, policy)


def _agreed(report: Report, policy: SnpPolicy) -> Iterator[Check]:
    measurement = report.measurement.hex()
    known = measurement in policy.measurements
    yield Check(
        "measurement", known, f"launch digest {measurement} is {'' if known else 'not '}in the agreement"
    )
    if policy.chips:
        known = report.chip.hex() in policy.chips
        yield Check("chip-list", known, f"this chip is {'' if known else 'not '}in the agreement")
    if policy.host_data:
        known = report.host_data.hex() in policy.host_data
        yield Check("host-data", known, f"host data are {'' if known else 'not '}in the agreement")
    for part, version in report.tcb.items():
        least = getattr(policy, f"min_{part}")
        yield Check("tcb-floor", version >= least, f"{part} version {version}, at least {least} was agreed")
    moves = bool(report.policy & _MIGRATION)
    yield Check(
        "migration",
        policy.allow_migration or not moves,
        f"the host may {'' if moves else 'not '}move the guest",
    )
    smt = bool(report.policy & _SMT)
    yield Check("smt", policy.allow_smt or not smt, f"two threads may {'' if smt else 'not '}share a core")


def _product(product: str, line: str | None) -> Check:
    if product.startswith("Turin"):
        return Check("product", False, "Turin: its security versions are not read yet; use Milan or Genoa")
    named = {"Milan": ("Milan",), "Genoa": ("Genoa", "Siena")}.get(line or "", ())  # Siena has Genoa's root
    fits = product.partition("-")[0] in named
    return Check("product", fits, f"a processor of the line {product or '(none named)'}")


def _signature(raw: bytes, key: Any) -> Check:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    bad = Check("signature", False, "the chip did not sign this report")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        return bad
    r, s = (int.from_bytes(raw[at : at + 72], "little") for at in (0x2A0, 0x2E8))
    try:
        key.verify(utils.encode_dss_signature(r, s), raw[:SIGNED], ec.ECDSA(hashes.SHA384()))
    except InvalidSignature:
        return bad
    return Check("signature", True, "the chip signed this report")


def _crl(crl: bytes | None, policy: SnpPolicy | None, ask: Any, ark: Any, now: datetime) -> Check:
    """AMD lists revoked signing keys (ASK); a chip's own certificate has no serial number to list."""
    if crl is None:
        needed = policy is not None and policy.require_crl
        return Check(
            "crl", not needed, "no revocation list; " + ("one was agreed" if needed else "none was agreed")
        )
    x509 = x509_module()
    try:
        listed = x509.load_der_x509_crl(crl)
        signed = listed.issuer == ark.subject and listed.is_signature_valid(ark.public_key())
        until = listed.next_update_utc
        current = listed.last_update_utc <= now and (until is not None and now <= until)
        revoked = listed.get_revoked_certificate_by_serial_number(ask.serial_number) is not None
    except (ValueError, TypeError):
        return Check("crl", False, "the revocation list cannot be read")
    if not signed:
        return Check("crl", False, "the revocation list is not AMD's")
    if not current:
        return Check("crl", False, "the revocation list is out of date; import a new one")
    return Check("crl", not revoked, f"the key above the chip's is {'' if revoked else 'not '}revoked")


def _bytes(certificate: Any, oid: str) -> bytes:
    """The value of one of AMD's extensions; empty where it is missing."""
    x509 = x509_module()
    try:
        value = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(oid)).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return b""
    return bytes(getattr(value, "value", b""))


def _whole(certificate: Any, oid: str) -> int:
    """A DER integer of one of AMD's extensions; -1, which fits nothing, where it is not one."""
    raw = _bytes(certificate, oid)
    whole = len(raw) in (3, 4) and raw[0] == 2 and raw[1] == len(raw) - 2
    return int.from_bytes(raw[2:], "big") if whole else -1


def _text(certificate: Any, oid: str) -> str:
    """A DER IA5String of one of AMD's extensions; empty where it is not one."""
    raw = _bytes(certificate, oid)
    fits = len(raw) > 2 and raw[0] == 0x16 and raw[1] == len(raw) - 2
    return raw[2:].decode("ascii", "replace") if fits else ""


def _yes(words: str, report: Report, bit: int) -> str:
    return words if not report.policy & bit else words.replace("may not", "may")
