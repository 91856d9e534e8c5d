"""AMD SEV-SNP: what is accepted, and each refusal with its own reason."""

from dataclasses import replace
from typing import Any

import pytest
from tests.trust.attestation.makers import BINDING, DAY, MEASUREMENT, NOW, SNP_POLICY, Amd, der, rsa_key

from cryofed.trust.attestation.binding import Binding
from cryofed.trust.attestation.evidence import Evidence, SnpReport
from cryofed.trust.attestation.policy import Policy, SnpPolicy
from cryofed.trust.attestation.verdict import Verdict
from cryofed.trust.attestation.verifying import verify, verify_under

AMD = Amd()


def judge(evidence: Evidence, policy: Policy = SNP_POLICY, amd: Amd = AMD, **other: Any) -> Verdict:
    return verify_under(amd.roots, evidence, policy, other.get("binding", BINDING), other.get("now", NOW))


def snp(**fields: Any) -> Policy:
    return Policy(snp=SnpPolicy(**{"measurements": {MEASUREMENT.hex()}, "require_crl": False, **fields}))


def test_a_genuine_report_is_proven_and_its_machine_is_told() -> None:
    verdict = judge(AMD.evidence())
    assert verdict.refusals == ()
    assert verdict.level == "attested"
    assert verdict.measured["measurement"] == MEASUREMENT.hex()


def test_under_a_test_root_nothing_is_ever_called_attested() -> None:
    assert judge(AMD.evidence()).status == "unattested"
    refused = verify(AMD.evidence(), SNP_POLICY, BINDING, NOW)  # the makers' roots
    assert refused.refusals == ("root", "product")
    assert refused.status == "unattested"


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ({"policy": 0xB0000}, "debug"),
        ({"policy": 0x70000}, "migration"),
        ({"policy": 0x10000}, "guest-policy"),  # bit 17 must be one
        ({"measurement": bytes(48)}, "measurement"),
        ({"at_0x30": 1}, "vmpl"),
        ({"at_0x34": 2}, "algorithm"),
        ({"at_0x0": 9}, "version"),
        ({"at_0x48": 4}, "signing-key"),  # 1 << 2: signed by the provider's key (VLEK)
        ({"at_0x48": 2}, "chip"),  # the chip's id is masked
        ({"at_0x48": 32}, "flags"),
        ({"at_0x4c": 1}, "reserved"),
        ({"at_0x180": 2}, "tcb"),  # an older boot loader than the certificate was made for
        ({"at_0x1a0": 8}, "chip"),
    ],
)
def test_a_report_that_the_chip_signed_is_refused_for_what_it_says(report: dict[str, Any], code: str) -> None:
    assert judge(AMD.evidence(**report)).refusals == (code,)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("role", "site", "role"),
        ("name", "other", "name"),
        ("federation", "other", "federation"),
        ("tls_key", b"x" * 32, "tls-key"),  # relayed: genuine evidence under another TLS key
        ("nonce", b"x" * 32, "nonce"),  # replayed: of an earlier question
        ("agreement", b"x" * 32, "agreement"),
    ],
)
def test_evidence_for_another_binding_is_refused_by_the_field(field: str, value: Any, code: str) -> None:
    other: Binding = replace(BINDING, **{field: value})
    # The chip signed for the other one, and the evidence says so.
    assert judge(AMD.evidence(other)).refusals == (code, "report-data")
    # The chip signed for the other one, and the evidence hides it.
    hidden = replace(AMD.evidence(other), claims=BINDING)
    assert judge(hidden).refusals == ("report-data",)


def test_evidence_that_does_not_say_what_it_is_for_is_refused() -> None:
    assert judge(replace(AMD.evidence(), claims=None)).refusals == ("binding",)


def test_expired_and_too_early_certificates_are_refused() -> None:
    assert judge(AMD.evidence(), now=NOW + 31 * DAY).refusals == ("expired",) * 3  # all three certificates
    assert judge(AMD.evidence(), now=NOW - 31 * DAY).refusals == ("expired",) * 3
    old = Amd(vcek_last=NOW - DAY)
    assert judge(old.evidence(), amd=old).refusals == ("expired",)


def test_a_chain_with_a_foreign_link_is_refused() -> None:
    machine = AMD.evidence().machine
    assert isinstance(machine, SnpReport)
    other = Amd()
    leaf = replace(AMD.evidence(), machine=replace(machine, vcek=der(other.vcek)))
    assert judge(leaf).refusals == ("signature",)  # a genuine key, but of another processor
    from tests.trust.attestation.makers import certificate

    impostor = certificate("ASK", rsa_key(9).public_key(), "ARK", rsa_key(9), authority=True)
    link = replace(AMD.evidence(), machine=replace(machine, ask=der(impostor)))
    assert judge(link).refusals == ("chain",)
    for authority in (None, False):  # a certificate that says nothing, and one that says no
        leaf_only = certificate("ASK", rsa_key(2).public_key(), "ARK", rsa_key(1), authority=authority)
        refused = replace(AMD.evidence(), machine=replace(machine, ask=der(leaf_only)))
        assert judge(refused).refusals == ("chain",)


def test_turin_is_refused_with_a_clear_word() -> None:
    turin = Amd(product="Turin-B0")
    verdict = judge(turin.evidence(), amd=turin)
    assert verdict.refusals == ("product",)
    assert "Turin: its security versions are not read yet" in next(
        c.words for c in verdict.checks if not c.passed
    )


def test_genoa_and_siena_are_accepted_under_genoas_root() -> None:
    for product in ("Genoa", "Siena-B1"):
        genoa = Amd(product=product, line="Genoa")
        assert judge(genoa.evidence(), amd=genoa).refusals == ()


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (Policy(), "policy"),
        (snp(chips={"00" * 64}), "chip-list"),
        (snp(host_data={"11" * 32}), "host-data"),
        (snp(min_snp=9), "tcb-floor"),
        (snp(min_microcode=116), "tcb-floor"),
        (snp(allow_smt=False), "smt"),
        (snp(require_crl=True), "crl"),
    ],
)
def test_what_was_not_agreed_is_refused(policy: Policy, code: str) -> None:
    assert judge(AMD.evidence(), policy).refusals == (code,)


def test_agreed_chips_host_data_and_floors_are_accepted() -> None:
    agreed = snp(
        chips={AMD.chip.hex()}, host_data={"00" * 32}, min_snp=8, min_bootloader=3, min_microcode=115
    )
    assert judge(AMD.evidence(), agreed).refusals == ()
    assert judge(AMD.evidence(policy=0x70000), snp(allow_migration=True)).refusals == ()


def test_the_revocation_list_is_read() -> None:
    def listed(crl: bytes) -> tuple[str, ...]:
        return judge(AMD.evidence(crl=crl), snp(require_crl=True)).refusals

    assert listed(AMD.crl()) == ()
    assert listed(AMD.crl(revoked=AMD.ask.serial_number)) == ("crl",)
    assert listed(AMD.crl(last=NOW - DAY / 2)) == ("crl",)  # out of date
    assert listed(AMD.crl(key=rsa_key(9))) == ("crl",)  # not AMD's
    assert listed(b"junk") == ("crl",)


def test_what_cannot_be_read_is_refused_and_raises_nothing() -> None:
    machine = AMD.evidence().machine
    assert isinstance(machine, SnpReport)
    for broken in (
        replace(machine, report=b"x" * 100),
        replace(machine, vcek=b"x"),
        replace(machine, ark=b""),
    ):
        assert judge(Evidence(machine=broken, claims=BINDING)).refusals == ("format",)
    assert judge(Evidence(machine=None, claims=BINDING)).refusals == ("machine",)
