"""What a federation accepts as proof, as it stands in the signed agreement.

There is no field for a root and none that allows a debug machine: neither can be agreed on. A table that
is missing means that this kind of machine is not accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from cryofed.errors import InputError


def _measured(text: str) -> Any:
    return field(metadata={"help": text, "kind": "texts"})


def _texts(text: str, default: tuple[str, ...] = ()) -> Any:
    return field(default=frozenset(default), metadata={"help": text, "kind": "texts"})


def _least(text: str) -> Any:
    return field(default=0, metadata={"help": text, "kind": "whole"})


def _flag(text: str, default: bool) -> Any:
    return field(default=default, metadata={"help": text, "kind": "flag"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpPolicy:
    """AMD SEV-SNP, Milan and Genoa."""

    measurements: frozenset[str] = _measured("launch digests that are accepted, 48 bytes in hex")
    chips: frozenset[str] = _texts("chip ids that are accepted, 64 bytes in hex; none listed accepts any")
    host_data: frozenset[str] = _texts("host data that are accepted, 32 bytes in hex; none listed, any")
    min_bootloader: int = _least("lowest security version of the boot loader")
    min_tee: int = _least("lowest security version of the secure processor's system")
    min_snp: int = _least("lowest security version of the SNP firmware")
    min_microcode: int = _least("lowest security version of the microcode")
    allow_smt: bool = _flag("two threads may share a core", True)
    allow_migration: bool = _flag("a migration agent may move the guest", False)
    require_crl: bool = _flag("AMD's revocation list must be there and in date", True)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntelPolicy:
    """Intel TDX or SGX."""

    measurements: frozenset[str] = _measured(
        "what is accepted, in hex: MRTD/RTMR0/RTMR1/RTMR2/RTMR3 of TDX joined by '/', MRENCLAVE of SGX"
    )
    platforms: frozenset[str] = _texts("platform ids (PPID) that are accepted; none listed accepts any")
    statuses: frozenset[str] = _texts("Intel's words for the firmware that are accepted", ("UpToDate",))
    refused_advisories: frozenset[str] = _texts("Intel advisories that are not accepted if they apply")
    min_evaluation: int = _least("lowest number of Intel's TCB evaluation")
    allow_dynamic_platform: bool = _flag("processors may be added after the platform was registered", False)
    allow_cached_keys: bool = _flag("the platform's keys may be cached by Intel", False)
    allow_smt: bool = _flag("two threads may share a core", True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmPolicy:
    """A TPM's measured boot; it reaches the status `measured-boot`, never `attested`."""

    measurements: frozenset[str] = _measured("SHA-256 over the quoted registers that are accepted, in hex")
    keys: frozenset[str] = _measured("SHA-256 of the attestation keys that were enrolled, in hex")
    registers: frozenset[str] = _texts(
        "registers that must be quoted", ("0", "1", "2", "3", "4", "5", "7", "8", "9")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPolicy:
    """NVIDIA Hopper in confidential mode, beside one of the machines above."""

    drivers: frozenset[str] = _measured("driver versions that are accepted")
    firmwares: frozenset[str] = _measured("VBIOS versions that are accepted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The `[attestation]` table of an agreement."""

    snp: SnpPolicy | None = None
    tdx: IntelPolicy | None = None
    sgx: IntelPolicy | None = None
    tpm: TpmPolicy | None = None
    gpu: GpuPolicy | None = None


_HEX = ("measurements", "chips", "host_data", "platforms", "keys")
_TABLES: Mapping[str, Any] = {
    "snp": SnpPolicy, "tdx": IntelPolicy, "sgx": IntelPolicy, "tpm": TpmPolicy, "gpu": GpuPolicy,
}  # fmt: skip


def read_policy(table: Mapping[str, Any], source: str = "agreement", where: str = "attestation") -> Policy:
    """The policy in a parsed `[attestation]` table.

    Args:
        table: `snp`, `tdx`, `sgx`, `tpm`, `gpu`, each a table of its policy's fields.
        source: the file to name in an error.
        where: the table's name in it.

    Raises:
        InputError: an unknown table or field, or a value of another kind. A policy that cannot be read
            accepts nothing; there is no default that accepts more.
    """
    parts = {}
    for name, part in table.items():
        if name not in _TABLES:
            raise InputError(
                source, f"{where}.{name}", "an unknown table", f"use {', '.join(_TABLES)}; no other"
            )
        if not isinstance(part, dict):
            raise InputError(source, f"{where}.{name}", repr(part)[:60], "write a table")
        parts[name] = _part(_TABLES[name], f"{where}.{name}", part, source)
    return Policy(**parts)


def _part(kind: Any, name: str, table: Mapping[str, Any], source: str) -> Any:
    known = {f.name: f for f in fields(kind)}
    missing = [f.name for f in known.values() if f.default is MISSING and f.name not in table]
    if missing:
        raise InputError(source, f"{name}.{missing[0]}", "missing", known[missing[0]].metadata["help"])
    chosen: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{name}.{key}"
        if key not in known:
            raise InputError(source, where, "an unknown field", f"known are {', '.join(known)}")
        wanted = known[key].metadata["kind"]
        if wanted == "texts":
            if not isinstance(value, list) or not all(isinstance(t, str) and t for t in value):
                raise InputError(source, where, repr(value)[:60], 'write a list of texts, like ["ab12"]')
            chosen[key] = frozenset(t.lower() if key in _HEX else t for t in value)
        elif wanted == "whole":
            if type(value) is not int or value < 0:
                raise InputError(source, where, repr(value)[:60], "write a whole number of 0 or more")
            chosen[key] = value
        else:
            if type(value) is not bool:
                raise InputError(source, where, repr(value)[:60], "write true or false")
            chosen[key] = value
    return kind(**chosen)
