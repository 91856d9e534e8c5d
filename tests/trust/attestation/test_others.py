"""GPUs, TPMs, the form of evidence, and the roots that no policy can name."""

import ast
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from tests.trust.attestation.makers import BINDING, GPU_POLICY, NOW, SNP_POLICY, Amd, Gpu, Tpm

import cryofed
from cryofed.errors import InputError, WireError
from cryofed.trust.attestation.binding import Binding, Exact
from cryofed.trust.attestation.evidence import Evidence, GpuReport, TpmQuote, read_evidence, write_evidence
from cryofed.trust.attestation.policy import Policy, read_policy
from cryofed.trust.attestation.roots import VENDOR_ROOTS
from cryofed.trust.attestation.verdict import Verdict
from cryofed.trust.attestation.verifying import verify, verify_under

AMD, GPU, TPM = Amd(), Gpu(), Tpm()
ROOTS = replace(AMD.roots, nvidia=GPU.pin)


BOTH = replace(SNP_POLICY, gpu=GPU_POLICY)


def with_gpu(gpu: GpuReport, policy: Policy = BOTH) -> Verdict:
    return verify_under(ROOTS, replace(AMD.evidence(), gpus=(gpu,)), policy, BINDING, NOW)


def test_a_gpu_counts_beside_a_machine() -> None:
    verdict = with_gpu(GPU.report(BINDING.short))
    assert verdict.refusals == ()
    assert verdict.measured["GPU driver"] == "550.90.07"
    assert verdict.measured["GPU VBIOS"] == "96.00.9F.00.01"


def test_a_gpu_alone_proves_nothing() -> None:
    evidence = Evidence(machine=None, gpus=(GPU.report(BINDING.short),), claims=BINDING)
    verdict = verify_under(ROOTS, evidence, Policy(gpu=GPU_POLICY), BINDING, NOW)
    assert verdict.refusals == ("machine",)
    assert verdict.level == "unattested"


def test_each_refusal_of_a_gpu_has_its_reason() -> None:
    good = GPU.report(BINDING.short)
    assert with_gpu(GPU.report(b"x" * 32)).refusals == ("gpu-nonce",)
    flipped = bytearray(good.report)
    flipped[50] ^= 1  # a measurement
    assert with_gpu(replace(good, report=bytes(flipped))).refusals == ("gpu-signature",)
    assert with_gpu(good, SNP_POLICY).refusals == ("gpu-policy",)
    other = replace(SNP_POLICY, gpu=replace(GPU_POLICY, drivers=frozenset({"1.0"})))
    assert with_gpu(good, other).refusals == ("gpu-driver",)
    other = replace(SNP_POLICY, gpu=replace(GPU_POLICY, firmwares=frozenset({"1.0"})))
    assert with_gpu(good, other).refusals == ("gpu-vbios",)
    assert with_gpu(Gpu().report(BINDING.short)).refusals == ("gpu-root",)
    assert with_gpu(replace(good, chain=good.chain[1:])).refusals == ("gpu-format",)
    assert with_gpu(replace(good, report=good.report[:-1])).refusals == ("gpu-format",)
    shuffled = replace(good, chain=(good.chain[0], good.chain[2], good.chain[2]))
    assert "gpu-chain" in with_gpu(shuffled).refusals
    blackwell = Gpu(line="NVIDIA GB100 Identity")  # another generation under the same root
    verdict = verify_under(
        replace(ROOTS, nvidia=blackwell.pin),
        replace(AMD.evidence(), gpus=(blackwell.report(BINDING.short),)),
        replace(SNP_POLICY, gpu=GPU_POLICY),
        BINDING,
        NOW,
    )
    assert verdict.refusals == ("gpu-product",)


def test_a_tpm_reaches_measured_boot_and_no_more() -> None:
    verdict = verify(TPM.evidence(), TPM.policy, BINDING, NOW)
    assert verdict.refusals == ()
    assert verdict.status == "measured-boot"
    assert verdict.meets("measured-boot")
    assert not verdict.meets("attested")


def test_each_refusal_of_a_tpm_has_its_reason() -> None:
    def refusals(policy: Policy = TPM.policy, binding: Binding = BINDING, **fields: Any) -> tuple[str, ...]:
        evidence = TPM.evidence(binding)
        machine = evidence.machine
        assert isinstance(machine, TpmQuote)
        changed = replace(evidence, machine=replace(machine, **fields), claims=BINDING)
        return verify(changed, policy, BINDING, NOW).refusals

    assert refusals() == ()
    assert refusals(binding=replace(BINDING, nonce=b"x" * 32)) == ("report-data",)
    assert refusals(Policy()) == ("policy",)
    other = Tpm()
    assert refusals(other.policy) == ("root",)
    assert refusals(key=other.evidence().machine.key) == ("signature", "root")  # type: ignore[union-attr]
    assert TPM.policy.tpm is not None
    assert refusals(Policy(tpm=replace(TPM.policy.tpm, measurements=frozenset({"00"})))) == ("measurement",)
    assert refusals(Policy(tpm=replace(TPM.policy.tpm, registers=frozenset({"11"})))) == ("selection",)
    assert refusals(pcrs=TPM.values[:-1]) == ("registers", "values")
    assert refusals(attest=b"\xff\x54\x43\x47\x80\x17" + bytes(60)) == ("format",)
    assert refusals(signature=b"\x00\x18") == ("format",)


def test_report_data_is_the_hash_of_six_fields_after_their_lengths() -> None:
    assert len(BINDING.report_data) == 64
    assert len(BINDING.short) == 32
    # "ab" + "c" and "a" + "bc" must differ: lengths stand before the parts.
    one = replace(BINDING, name="ab", federation="c")
    other = replace(BINDING, name="a", federation="bc")
    assert one.report_data != other.report_data
    with pytest.raises(ValueError, match="nonce must be 32 bytes"):
        replace(BINDING, nonce=b"short")
    with pytest.raises(ValueError, match="role must be one of"):
        replace(BINDING, role="nobody")


def test_evidence_survives_its_document() -> None:
    whole = replace(AMD.evidence(crl=AMD.crl()), gpus=(GPU.report(BINDING.short),))
    for evidence in (whole, TPM.evidence(), Evidence(machine=None)):
        assert read_evidence(write_evidence(evidence)) == evidence


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(schema="cryofed.evidence/2"), "not a cryofed.evidence/1"),
        (lambda d: d.update(extra=1), "field 'extra' is missing or unknown"),
        (lambda d: d.pop("gpus"), "field 'gpus' is missing or unknown"),
        (lambda d: d["machine"].update(kind="nobody"), "its kind is not one of"),
        (lambda d: d["machine"].update(report=7), "report: not 1 to"),
        (lambda d: d["machine"].update(report="!"), "report"),
        (lambda d: d["claims"].update(nonce="AB" * 32), "nonce: not 32 bytes in lower-case"),
        (lambda d: d["claims"].update(role="nobody"), "role must be one of"),
        (lambda d: d.update(gpus=[{}] * 17), "gpus: not a list of up to 16"),
    ],
)
def test_a_document_that_is_not_evidence_is_refused(change: Any, words: str) -> None:
    document = json.loads(write_evidence(AMD.evidence()))
    change(document)
    with pytest.raises(WireError, match=words):
        read_evidence(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


def test_a_document_in_another_spelling_is_refused() -> None:
    document = json.loads(write_evidence(AMD.evidence()))
    with pytest.raises(WireError, match="canonical"):
        read_evidence(json.dumps(document, indent=1).encode())
    for raw in (b"", b"[1]", b'{"a":1.5}', b"[" * 100_000, b"\xff", b'{"a":NaN}'):
        with pytest.raises(WireError):
            read_evidence(raw)


def test_a_policy_names_what_is_accepted_and_nothing_else() -> None:
    policy = read_policy(
        {"snp": {"measurements": ["AB"], "min_snp": 8}, "gpu": {"drivers": [], "firmwares": []}}
    )
    assert policy.snp is not None
    assert policy.snp.measurements == {"ab"}
    assert policy.snp.require_crl
    for table, words in (
        ({"sev": {}}, "attestation.sev: an unknown table"),
        ({"snp": {}}, "attestation.snp.measurements: missing"),
        ({"snp": {"measurements": [], "allow_debug": True}}, "allow_debug: an unknown field"),
        ({"snp": {"measurements": "ab"}}, "write a list of texts"),
        ({"snp": {"measurements": [], "min_snp": True}}, "whole number"),
        ({"tdx": {"measurements": [], "allow_smt": 1}}, "true or false"),
        ({"snp": 1}, "write a table"),
        ({"roots": {"amd": "00"}}, "attestation.roots: an unknown table"),
    ):
        with pytest.raises(InputError, match=words):
            read_policy(table)


def test_no_policy_has_a_field_for_a_root_or_for_debug() -> None:
    names = {f.name for kind in (Policy, *_parts()) for f in fields(kind)}
    assert not {name for name in names if "root" in name or "debug" in name}


def test_nothing_in_the_program_makes_other_roots() -> None:
    """`Roots` is made in one place, and `verify_under` is called by `verify` alone."""
    made, under = [], []
    source = Path(cryofed.__file__).parent
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if called == "Roots":
                    made.append(str(path.relative_to(source)))
                if called == "verify_under":
                    under.append(str(path.relative_to(source)))
    assert made == ["trust/attestation/roots.py"]
    assert under == ["trust/attestation/verifying.py"]


def test_roots_equal_to_the_makers_are_still_not_the_makers() -> None:
    """The word `attested` hangs on the one object that the program has, not on what its fields say."""
    verdict = verify_under(replace(VENDOR_ROOTS), TPM.evidence(), TPM.policy, BINDING, NOW)
    assert verdict.level == "measured-boot"
    assert verdict.status == "unattested"


def test_exact_bytes_that_were_not_given_fit_nothing() -> None:
    refused = verify_under(AMD.roots, AMD.evidence(), SNP_POLICY, Exact(), NOW)
    assert refused.refusals == ("report-data",)


def _parts() -> list[type]:
    from cryofed.trust.attestation import policy

    return [policy.SnpPolicy, policy.IntelPolicy, policy.TpmPolicy, policy.GpuPolicy]
