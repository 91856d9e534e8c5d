"""Intel TDX and SGX under a root that the tests make: what is accepted, and each refusal with its reason."""

from dataclasses import replace
from typing import Any

import pytest
from tests.trust.attestation.intel_maker import MR, PPID, Intel
from tests.trust.attestation.makers import BINDING, DAY, NOW

from cryofed.trust.attestation.evidence import Evidence, IntelQuote
from cryofed.trust.attestation.policy import IntelPolicy, Policy
from cryofed.trust.attestation.verdict import Verdict
from cryofed.trust.attestation.verifying import verify, verify_under

pytest.importorskip("dcap_qvl", reason="pip install 'cryofed[trust]'")
INTEL = Intel()
KINDS = ("TDX", "SGX")
MEASURED = {"TDX": "/".join([MR.hex()] * 5), "SGX": MR[:32].hex()}


def agreed(kind: str, **changed: Any) -> Policy:
    fields = {"measurements": frozenset({MEASURED[kind]}), **changed}
    return Policy(**{kind.lower(): IntelPolicy(**fields)})


def judge(evidence: Evidence, policy: Policy, intel: Intel = INTEL, now: Any = NOW) -> Verdict:
    return verify_under(intel.roots, evidence, policy, BINDING, now)


@pytest.mark.parametrize("kind", KINDS)
def test_a_genuine_quote_is_proven_and_under_a_test_root_never_called_attested(kind: str) -> None:
    verdict = judge(INTEL.evidence(kind), agreed(kind))
    assert verdict.refusals == ()
    assert (verdict.level, verdict.status) == ("attested", "unattested")
    assert verdict.measured["platform"] == PPID.hex()
    # Under the maker's own root nothing of it holds.
    assert verify(INTEL.evidence(kind), agreed(kind), BINDING, NOW).refusals == ("chain",)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("tls_key", b"x" * 32, "tls-key"),
        ("nonce", b"x" * 32, "nonce"),
        ("agreement", b"x" * 32, "agreement"),
        ("name", "other", "name"),
    ],
)
def test_evidence_for_another_binding_is_refused_by_the_field(
    kind: str, field: str, value: Any, code: str
) -> None:
    other = INTEL.evidence(kind, replace(BINDING, **{field: value}))
    assert judge(other, agreed(kind)).refusals == (code, "report-data")
    assert judge(replace(other, claims=BINDING), agreed(kind)).refusals == ("report-data",)


@pytest.mark.parametrize(
    ("kind", "attributes", "codes"),
    [
        # dcap-qvl refuses these by itself; our own check says the same in the field's own word.
        ("TDX", 1 << 28 | 1, {"debug"}),
        ("SGX", 5 | 2, {"debug"}),
        ("TDX", 0, {"sept-ve"}),
        ("TDX", 1 << 28 | 1 << 29, {"migration"}),
        ("TDX", 1 << 28 | 1 << 40, {"attributes"}),
        ("SGX", 4, {"initialized"}),
    ],
)
def test_attributes_that_open_the_machine_are_refused(kind: str, attributes: int, codes: set[str]) -> None:
    refusals = judge(INTEL.evidence(kind, attributes=attributes), agreed(kind)).refusals
    assert codes <= set(refusals)
    assert set(refusals) <= codes | {"chain"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_stale_revoked_or_outdated_platform_is_refused(kind: str) -> None:
    assert judge(INTEL.evidence(kind), agreed(kind), now=NOW + 2 * DAY).refusals == ("expired",)
    assert judge(INTEL.evidence(kind), agreed(kind), now=NOW - 2 * DAY).refusals == ("expired",)
    assert judge(INTEL.evidence(kind, revoked=True), agreed(kind)).refusals == ("revoked",)
    old = Intel(status="OutOfDate")
    assert judge(old.evidence(kind), agreed(kind), old).refusals == ("tcb-status",)
    named = agreed(kind, statuses=frozenset({"UpToDate", "OutOfDate"}))
    assert judge(old.evidence(kind), named, old).refusals == ()


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_not_agreed_is_refused(kind: str) -> None:
    evidence = INTEL.evidence(kind)
    for changed, code in (
        ({"measurements": frozenset({"00"})}, "measurement"),
        ({"min_evaluation": 18}, "evaluation"),
        ({"platforms": frozenset({"00"})}, "platform-list"),
    ):
        assert judge(evidence, agreed(kind, **changed)).refusals == (code,)
    assert judge(evidence, Policy()).refusals == ("policy",)
    other = "SGX" if kind == "TDX" else "TDX"  # an SGX policy does not accept TDX, nor the reverse
    assert judge(evidence, agreed(other)).refusals == ("policy",)
    assert judge(evidence, agreed(kind, platforms=frozenset({PPID.hex()}), min_evaluation=17)).refusals == ()


@pytest.mark.parametrize("kind", KINDS)
def test_every_byte_of_what_the_machine_says_is_signed(kind: str) -> None:
    evidence = INTEL.evidence(kind)
    machine = evidence.machine
    assert isinstance(machine, IntelQuote)
    end = 48 + (584 if kind == "TDX" else 384)
    for byte in range(0, end, 5):
        raw = bytearray(machine.quote)
        raw[byte] ^= 1
        refusals = judge(replace(evidence, machine=replace(machine, quote=bytes(raw))), agreed(kind)).refusals
        assert {"signature", "chain", "format"} & set(refusals), f"byte {byte}: {refusals}"


def test_anothers_collateral_is_refused() -> None:
    evidence, other = INTEL.evidence("TDX"), Intel()
    machine = evidence.machine
    assert isinstance(machine, IntelQuote)
    foreign = replace(machine, collateral=other.collateral("TDX"))
    assert judge(replace(evidence, machine=foreign), agreed("TDX")).level == "unattested"
    wrong_kind = replace(machine, collateral=INTEL.collateral("SGX"))
    assert judge(replace(evidence, machine=wrong_kind), agreed("TDX")).level == "unattested"
