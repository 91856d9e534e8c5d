"""The one question: is this evidence genuine, agreed on, and made for this binding?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from cryofed.errors import CryoFedError, WireError
from cryofed.trust.attestation import amd, intel, nvidia, tpm
from cryofed.trust.attestation.binding import Binding, Exact, binding_checks
from cryofed.trust.attestation.evidence import Evidence, IntelQuote, SnpReport
from cryofed.trust.attestation.policy import Policy
from cryofed.trust.attestation.roots import VENDOR_ROOTS, Roots
from cryofed.trust.attestation.verdict import ATTESTED, MEASURED_BOOT, UNATTESTED, Check, Verdict


def verify(evidence: Evidence, policy: Policy, binding: Binding | Exact, now: datetime) -> Verdict:
    """Every check of the evidence, under the chip makers' roots and no others. Needs no network.

    Args:
        evidence: what the participant shows.
        policy: what the agreement accepts.
        binding: what the evidence must be made for; the verifier fills it, never the participant.
        now: the time at which certificates and lists must be in date, with a time zone.

    Returns:
        The verdict; it never raises on bad evidence, which is a failed check like any other.
    """
    return verify_under(VENDOR_ROOTS, evidence, policy, binding, now)


def verify_under(
    roots: Roots, evidence: Evidence, policy: Policy, binding: Binding | Exact, now: datetime
) -> Verdict:
    """The same under other roots, for tests: `level` is what it proves there, `status` stays `unattested`."""
    if now.tzinfo is None:
        raise ValueError("now must have a time zone")
    name, proves, measured, machine = _machine(roots, evidence, policy, binding, now)
    # The GPUs do not add to the status: they are refused, or they count beside the machine.
    checks = [*binding_checks(evidence.claims, binding), *_caught("format", machine)]
    for gpu in evidence.gpus:
        checks += _caught("gpu-format", nvidia.checks(gpu, policy.gpu, binding, now, roots))
        measured |= {f"GPU {key}": value for key, value in _values(partial(nvidia.measured, gpu)).items()}
    return Verdict(platform=name, proves=proves, checks=tuple(checks), measured=measured, roots=roots)


def _machine(
    roots: Roots, evidence: Evidence, policy: Policy, binding: Binding | Exact, now: datetime
) -> tuple[str, str, dict[str, str], Iterator[Check]]:
    """Name, status when proven, what it says, and the checks of the machine's own evidence."""
    machine = evidence.machine
    if machine is None:
        words = "no machine's evidence; a GPU alone says nothing of the program that runs"
        return "no machine", UNATTESTED, {}, iter([Check("machine", False, words)])
    if isinstance(machine, SnpReport):
        measured = _values(partial(amd.measured, machine))
        return amd.PLATFORM, ATTESTED, measured, amd.checks(machine, policy.snp, binding, now, roots)
    if isinstance(machine, IntelQuote):
        try:
            name = intel.platform(machine)
        except WireError as error:
            return "Intel", ATTESTED, {}, iter([Check("format", False, str(error.args[1]))])
        agreed = policy.tdx if name == intel.TDX else policy.sgx
        measured = _values(partial(intel.measured, machine))
        return name, ATTESTED, measured, intel.checks(machine, agreed, binding, now, roots)
    measured = _values(partial(tpm.measured, machine))
    return tpm.PLATFORM, MEASURED_BOOT, measured, tpm.checks(machine, policy.tpm, binding, now, roots)


def _caught(code: str, checks: Iterator[Check]) -> list[Check]:
    """The checks, and what stopped them as one more: whatever happens to bad evidence, it is refused."""
    results = []
    try:
        for check in checks:
            results.append(check)
    except WireError as error:
        results.append(Check(code, False, str(error.args[1])))
    except CryoFedError:
        raise  # a package is missing: nobody's evidence is at fault
    except BaseException as error:
        # A library in Rust that gives up raises PanicException, which is not an Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        results.append(Check(code, False, f"cannot be read ({type(error).__name__})"))
    return results


def _values(read: Callable[[], dict[str, str]]) -> dict[str, str]:
    """What evidence says of its machine, or nothing where it cannot be read."""
    try:
        return read()
    except CryoFedError:
        return {}  # the checks say why
