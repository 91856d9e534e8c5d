"""What a plan says of evidence: what the aggregator must prove, and what the sites must."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryofed.errors import InputError
from cryofed.federation.agreement.engines import load_engine
from cryofed.federation.agreement.plan import SITES, Plan
from cryofed.schema.reading import shown

if TYPE_CHECKING:
    from cryofed.trust.attestation.policy import Policy

ATTESTATION = "attestation"  # a plan's table, whose form is that of `trust.attestation.policy`
_MACHINES = {"snp", "tdx", "sgx"}  # that reach the status attested


def attestation_of(plan: Plan, table: object, path: Path | str) -> Mapping[str, Any]:
    """The `[attestation]` table, checked; as it stands in the file, for it is agreed on word by word.

    Raises:
        InputError: no such policy, or one that nobody under this plan could meet.
    """
    from cryofed.trust.attestation.policy import read_policy

    tables = _tables(table, ATTESTATION, path)
    told = {name: dict(part) if isinstance(part, Mapping) else part for name, part in tables.items()}
    read_policy({name: part for name, part in told.items() if name != SITES}, str(path))
    here = load_engine(plan.engine, path).machines is None
    if SITES in told:
        where = f"{ATTESTATION}.{SITES}"
        of_sites = _tables(told[SITES], where, path)
        read_policy(of_sites, str(path), where)
        if not {*of_sites} & {*_MACHINES, "tpm"}:
            remedy = f"say what they may be: [{where}.snp], .tdx, .sgx or .tpm; or take the table out"
            raise InputError(path, where, "no machine that could attest", remedy)
        if here:
            remedy = "take the table out: its sites are on this machine, and nobody attests to it"
            raise InputError(path, where, f"evidence of sites over engine {plan.engine}", remedy)
        told[SITES] = {name: dict(part) for name, part in of_sites.items()}
    if plan.attested and not {*told} & _MACHINES:
        remedy = "say what may run: [attestation.snp], [attestation.tdx] or [attestation.sgx]; docs/trust.md"
        raise InputError(path, ATTESTATION, "no machine that could attest", remedy)
    if plan.attested and here:
        remedy = "its sites are on this machine: nobody attests to it"
        raise InputError(path, "profile", f"attested over engine {plan.engine}", remedy)
    return told


def aggregator_policy(plan: Plan) -> Policy:
    """What the aggregator must prove."""
    from cryofed.trust.attestation.policy import read_policy

    return read_policy({name: part for name, part in plan.attestation.items() if name != SITES})


def sites_policy(plan: Plan) -> Policy:
    """What each site must prove, where `Plan.sites_attest`."""
    from cryofed.trust.attestation.policy import read_policy

    return read_policy(plan.attestation[SITES], where=f"{ATTESTATION}.{SITES}")


def tables_of(plan: Plan) -> Mapping[str, Mapping[str, Any]]:
    """Each table by its whole name, to write them down."""
    of_sites = {f"{SITES}.{name}": part for name, part in plan.attestation.get(SITES, {}).items()}
    told = {name: part for name, part in plan.attestation.items() if name != SITES} | of_sites
    return {f"{ATTESTATION}.{name}": part for name, part in told.items()}


def _tables(table: object, where: str, path: Path | str) -> Mapping[str, Any]:
    if not isinstance(table, Mapping):
        raise InputError(path, where, shown(table), f"write tables, such as [{where}.snp]")
    return table
