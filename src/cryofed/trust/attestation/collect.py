"""Ask this machine's chip for evidence, through Linux' configfs-tsm.

`/sys/kernel/config/tsm/report` (Linux 6.7): a new folder there is a request; 64 bytes are written to its
`inblob`, the signed report is read from `outblob`, AMD's certificates from `auxblob`. Source: Linux,
Documentation/ABI/testing/configfs-tsm-report.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryofed.errors import InputError
from cryofed.trust.attestation.binding import Binding
from cryofed.trust.attestation.evidence import Evidence, IntelQuote, Machine, SnpReport

TSM = Path("/sys/kernel/config/tsm/report")
GRAMINE = Path("/dev/attestation")
# Certificates in AMD's table by their GUID (AMD, GHCB Standardization, 56421), and beside it as files.
_AMD_PARTS = {
    "63da758d-e664-4564-adc5-f4b93be8accd": "vcek",
    "4ab7b379-bbac-4fe4-a02f-05aef327c782": "ask",
    "c0b406a4-a803-4952-9743-3fb6014cd0ae": "ark",
    "92f81bc3-5811-4d3d-97ff-d19f88dc67ea": "crl",
}
_ENTRY = 24  # bytes of one line of the table: GUID, offset, length


def collect(binding: Binding, endorsements: Path, tsm: Path = TSM) -> Evidence:
    """Evidence of this machine, made for this binding.

    Args:
        binding: its nonce comes from who will verify.
        endorsements: a folder with what the maker says of this chip, imported by the operator:
            `collateral.json` for Intel; `vcek.der`, `ask.der`, `ark.der`, `crl.der` for AMD where the
            host does not hand them over.
        tsm: where the kernel's interface is.

    Raises:
        InputError: no such interface, an unknown provider, or a part that is missing.
    """
    if not tsm.is_dir():
        remedy = "run inside a confidential machine with Linux 6.7 or later, and mount configfs"
        raise InputError(tsm, "configfs-tsm", "not there", remedy)
    with _request(tsm) as entry:
        provider, report, certificates = _ask(entry, binding.report_data)
    if provider == "sev_guest":
        machine: Machine = _snp(report, _table(certificates, entry), endorsements)
    elif provider == "tdx_guest":
        machine = IntelQuote(quote=report, collateral=_file(endorsements / "collateral.json"))
    else:
        remedy = "sev_guest (AMD SEV-SNP) and tdx_guest (Intel TDX) are read"
        raise InputError(entry / "provider", "provider", repr(provider[:40]), remedy)
    return Evidence(machine=machine, claims=binding)


def collect_in_gramine(binding: Binding, endorsements: Path, device: Path = GRAMINE) -> Evidence:
    """Evidence of this SGX enclave, through the files that Gramine shows inside it.

    Source: Gramine, Documentation/attestation.rst, low-level /dev/attestation interface.
    """
    try:
        (device / "user_report_data").write_bytes(binding.report_data)
        quote = (device / "quote").read_bytes()
    except OSError as error:
        remedy = 'run under gramine-sgx with sgx.remote_attestation = "dcap"'
        raise InputError(device, "quote", error.strerror or "unreadable", remedy) from None
    collateral = _file(endorsements / "collateral.json")
    return Evidence(machine=IntelQuote(quote=quote, collateral=collateral), claims=binding)


@contextmanager
def _request(tsm: Path) -> Iterator[Path]:
    """A request of our own, taken away afterwards: names of others are never reused."""
    entry = tsm / f"cryofed-{secrets.token_hex(8)}"
    try:
        entry.mkdir()
    except OSError as error:
        raise InputError(
            tsm, "request", error.strerror or "refused", "run as root inside the guest"
        ) from None
    try:
        yield entry
    finally:
        entry.rmdir()


def _ask(entry: Path, report_data: bytes) -> tuple[str, bytes, bytes]:
    """Provider, report and certificates; refused if another process wrote to the request meanwhile."""
    try:
        (entry / "inblob").write_bytes(report_data)
        before = (entry / "generation").read_text()
        report = (entry / "outblob").read_bytes()
        certificates = (entry / "auxblob").read_bytes() if (entry / "auxblob").exists() else b""
        provider = (entry / "provider").read_text().strip()
        after = (entry / "generation").read_text()
    except OSError as error:
        remedy = "see the kernel's messages; the host may refuse to have reports signed"
        raise InputError(entry, "report", error.strerror or "unreadable", remedy) from None
    if before != after:
        raise InputError(entry, "generation", "another process wrote to this request", "ask again")
    return provider, report, certificates


def _table(raw: bytes, entry: Path) -> dict[str, bytes]:
    """AMD's certificates by part; a table that is cut is refused."""
    parts = {}
    for start in range(0, len(raw), _ENTRY):
        line = raw[start : start + _ENTRY]
        if len(line) < _ENTRY or not any(line):
            break
        guid = line[:16].hex()
        guid = "-".join((guid[:8], guid[8:12], guid[12:16], guid[16:20], guid[20:]))
        offset, length = (int.from_bytes(line[at : at + 4], "little") for at in (16, 20))
        if offset + length > len(raw):
            raise InputError(entry / "auxblob", "certificates", "a table that is cut", "ask again")
        if guid in _AMD_PARTS:
            parts[_AMD_PARTS[guid]] = raw[offset : offset + length]
    return parts


def _snp(report: bytes, table: dict[str, bytes], endorsements: Path) -> SnpReport:
    parts = {part: table.get(part) or _file(endorsements / f"{part}.der") for part in ("vcek", "ask", "ark")}
    listed = endorsements / "crl.der"
    crl = table.get("crl") or (listed.read_bytes() if listed.exists() else None)
    return SnpReport(report=report, crl=crl, **parts)


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        remedy = (
            "import what the chip's maker says of it; docs/trust.md names the files and where they come from"
        )
        raise InputError(path, "endorsement", error.strerror or "unreadable", remedy) from None
