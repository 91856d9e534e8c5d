"""Evidence that real chips made: accepted, and with any bit of it changed refused."""

import datetime as dt
import json
import warnings
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from tests.trust.attestation.makers import BINDING, der

from cryofed.trust.attestation.binding import Exact
from cryofed.trust.attestation.evidence import Evidence, GpuReport, IntelQuote, SnpReport
from cryofed.trust.attestation.policy import GpuPolicy, IntelPolicy, Policy, SnpPolicy
from cryofed.trust.attestation.verdict import Verdict
from cryofed.trust.attestation.verifying import verify

pytestmark = pytest.mark.shared
TODAY = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
IN_WINDOW = dt.datetime(2025, 7, 1, tzinfo=dt.UTC)  # Intel's collateral is valid for 30 days


@pytest.fixture
def vectors(shared: Path) -> Path:
    return shared / "data/attestation"


def chain(path: Path) -> list[bytes]:
    return [der(one) for one in x509.load_pem_x509_certificates(path.read_bytes())]


@pytest.fixture
def milan(vectors: Path) -> SnpReport:
    folder = vectors / "virtee-sev"
    ask, ark = chain(folder / "cert_chain_milan")
    report = bytes.fromhex((folder / "report_milan.hex").read_text().strip())
    return SnpReport(report=report, vcek=(folder / "vcek_milan.der").read_bytes(), ask=ask, ark=ark)


def judge_snp(machine: SnpReport, like: SnpReport, **policy: Any) -> Verdict:
    """Against a policy and a binding that fit `like`."""
    agreed = SnpPolicy(
        **{
            "measurements": frozenset({like.report[0x90:0xC0].hex()}),
            "chips": frozenset({like.report[0x1A0:0x1E0].hex()}),
            "host_data": frozenset({like.report[0xC0:0xE0].hex()}),
            "require_crl": False,
            **policy,
        }
    )
    wanted = Exact(report_data=like.report[0x50:0x90])
    return verify(Evidence(machine=machine), Policy(snp=agreed), wanted, TODAY)


def test_a_genuine_milan_report_is_attested(milan: SnpReport) -> None:
    verdict = judge_snp(milan, milan)
    assert verdict.refusals == ()
    assert verdict.status == "attested"
    assert verdict.measured["security versions"] == "bootloader 3, tee 0, snp 8, microcode 115"


def test_a_genuine_report_of_a_debug_machine_is_refused(vectors: Path) -> None:
    folder = vectors / "go-sev-guest"
    ask, ark = chain(folder / "ask_ark_milan.pem")
    vcek = folder / "vcek.testcer"
    machine = SnpReport(
        report=(folder / "attestation.bin").read_bytes(), vcek=vcek.read_bytes(), ask=ask, ark=ark
    )
    assert judge_snp(machine, machine).refusals == ("debug",)


# Bytes of the report: the reason that a changed bit there has beside the broken signature, if a field that
# is looked at lies there. `some`: only some of the bits change what the field means.
FIELDS = [
    (0x00, 0x04, "version", "some"),  # 2 to 3 is another layout that is read
    (0x08, 0x10, None, ""),  # the guest's policy, bit by bit below
    (0x30, 0x34, "vmpl", ""),
    (0x34, 0x38, "algorithm", ""),
    (0x4C, 0x50, "reserved", ""),
    (0x50, 0x90, "report-data", ""),
    (0x90, 0xC0, "measurement", ""),
    (0xC0, 0xE0, "host-data", ""),
    (0x180, 0x182, "tcb", ""),
    (0x186, 0x188, "tcb", ""),
    (0x1A0, 0x1E0, "chip", ""),
    (0x2D0, 0x2E8, "reserved", ""),  # above the signature's r
    (0x318, 0x4A0, "reserved", ""),  # above its s, and behind it: not signed
]
POLICY_BITS = {17: "guest-policy", 18: "migration", 19: "debug"}


def reasons_of_bit(bit: int) -> set[str]:
    """What must be said of a report whose `bit` (from 0, little-endian within bytes) was turned over."""
    byte = bit // 8
    found = set() if byte >= 0x330 else {"signature"}  # every bit before is signed, or is the signature
    for start, end, code, some in FIELDS:
        if start <= byte < end and code and not (some and bit == 0):
            found.add(code)
    if 0x08 <= byte < 0x10:
        found |= {POLICY_BITS[bit - 64]} if bit - 64 in POLICY_BITS else set()
    if byte in range(0x48, 0x4C):
        at = bit - 8 * 0x48
        found |= {"signing-key"} if 2 <= at <= 4 else {"flags"} if at >= 5 else {"chip"} if at == 1 else set()
    if 0x1A0 <= byte < 0x1E0:
        found.add("chip-list")
    return found


@pytest.mark.parametrize("part", range(16))
def test_every_bit_of_a_genuine_report_is_refused_when_turned_over_with_its_own_reason(
    milan: SnpReport, part: int
) -> None:
    for bit in range(part, 8 * len(milan.report), 16):  # in parts, for all 9,472 take half a minute
        raw = bytearray(milan.report)
        raw[bit // 8] ^= 1 << bit % 8
        verdict = judge_snp(replace(milan, report=bytes(raw)), milan)
        floors = set(verdict.refusals) - {"tcb-floor"}
        assert floors == reasons_of_bit(bit), f"bit {bit} of byte {bit // 8:#x}: {verdict.refusals}"


def test_each_certificate_above_the_report_is_refused_when_a_bit_of_it_is_turned_over(
    milan: SnpReport,
) -> None:
    for part in ("vcek", "ask", "ark"):
        raw = getattr(milan, part)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a VCEK has the serial number 0
            signed = x509.load_der_x509_certificate(raw).tbs_certificate_bytes
        start = raw.index(signed)
        # The name of the algorithm between the two is said twice; only the signed one counts.
        for byte in (*range(start, start + len(signed), 7), *range(len(raw) - 512, len(raw), 7)):
            changed = bytearray(raw)
            changed[byte] ^= 1
            refusals = judge_snp(replace(milan, **{part: bytes(changed)}), milan).refusals
            assert {"root", "chain", "format"} & set(refusals), f"{part} byte {byte}: {refusals}"


def test_turins_genuine_certificate_is_refused_with_a_clear_word(vectors: Path, milan: SnpReport) -> None:
    folder = vectors / "virtee-sev"
    ask, ark = chain(folder / "cert_chain_turin")
    turin = replace(milan, vcek=(folder / "vcek_turin.der").read_bytes(), ask=ask, ark=ark)
    verdict = judge_snp(turin, milan)
    assert {"root", "product", "signature"} <= set(verdict.refusals)
    assert "Turin" in next(check.words for check in verdict.checks if check.code == "product")


def test_a_genuine_report_relayed_into_our_binding_is_refused(milan: SnpReport) -> None:
    policy = Policy(snp=SnpPolicy(measurements=frozenset({milan.report[0x90:0xC0].hex()}), require_crl=False))
    verdict = verify(Evidence(machine=milan, claims=BINDING), policy, BINDING, TODAY)
    assert verdict.refusals == ("report-data",)
    assert verdict.status == "unattested"


# Intel: quote, collateral, where report_data begins, policy's table
QUOTES = {"tdx": ("tdx_quote", 48 + 520), "sgx": ("sgx_quote", 48 + 320)}


def intel(vectors: Path, kind: str, **changed: Any) -> tuple[IntelQuote, Policy, Exact]:
    pytest.importorskip("dcap_qvl", reason="pip install 'cryofed[trust]'")
    name, at = QUOTES[kind]
    raw = (vectors / "dcap-qvl" / name).read_bytes()
    machine = IntelQuote(quote=raw, collateral=(vectors / f"dcap-qvl/{name}_collateral.json").read_bytes())
    told = verify(Evidence(machine=machine), Policy(), Exact(), IN_WINDOW).measured["measurement"]
    agreed: dict[str, Any] = {"measurements": frozenset({told})}
    if kind == "tdx":
        agreed |= {"allow_dynamic_platform": True, "allow_cached_keys": True}
    else:
        agreed |= {"statuses": frozenset({"ConfigurationAndSWHardeningNeeded"})}
    policy = Policy(**{kind: IntelPolicy(**(agreed | changed))})
    return machine, policy, Exact(report_data=raw[at : at + 64])


@pytest.mark.parametrize("kind", QUOTES)
def test_genuine_quotes_of_intel_are_attested(vectors: Path, kind: str) -> None:
    machine, policy, wanted = intel(vectors, kind)
    verdict = verify(Evidence(machine=machine), policy, wanted, IN_WINDOW)
    assert verdict.refusals == ()
    assert verdict.status == "attested"
    assert verdict.platform == f"Intel {kind.upper()}"


@pytest.mark.parametrize(
    ("kind", "changed", "code"),
    [
        ("tdx", {"measurements": frozenset({"00"})}, "measurement"),
        ("tdx", {"allow_dynamic_platform": False}, "dynamic-platform"),
        ("tdx", {"allow_cached_keys": False}, "cached-keys"),
        ("tdx", {"allow_smt": False}, "smt"),
        ("tdx", {"min_evaluation": 18}, "evaluation"),
        ("tdx", {"platforms": frozenset({"00"})}, "platform-list"),
        ("sgx", {"measurements": frozenset({"00"})}, "measurement"),
        ("sgx", {"statuses": frozenset({"UpToDate"})}, "tcb-status"),
        ("sgx", {"refused_advisories": frozenset({"INTEL-SA-00615"})}, "advisory"),
    ],
)
def test_genuine_quotes_are_refused_for_what_was_not_agreed(
    vectors: Path, kind: str, changed: dict[str, Any], code: str
) -> None:
    machine, policy, wanted = intel(vectors, kind, **changed)
    assert verify(Evidence(machine=machine), policy, wanted, IN_WINDOW).refusals == (code,)


@pytest.mark.parametrize("kind", QUOTES)
def test_intels_quotes_are_refused_when_changed_stale_or_for_another(vectors: Path, kind: str) -> None:
    machine, policy, wanted = intel(vectors, kind)

    def refusals(
        machine: IntelQuote = machine, now: dt.datetime = IN_WINDOW, **other: Any
    ) -> tuple[str, ...]:
        return verify(
            Evidence(machine=machine), other.get("policy", policy), other.get("wanted", wanted), now
        ).refusals

    assert refusals(now=TODAY) == ("expired",)
    assert refusals(now=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)) == ("expired",)
    assert refusals(wanted=Exact(report_data=bytes(64))) == ("report-data",)
    assert refusals(policy=Policy()) == ("policy",)
    at = QUOTES[kind][1]
    raw = bytearray(machine.quote)
    raw[at] ^= 1
    assert refusals(replace(machine, quote=bytes(raw))) == ("signature", "report-data")
    raw = bytearray(machine.quote)
    raw[at + 64 + 4] ^= 1  # the signature follows report_data and its own length
    assert refusals(replace(machine, quote=bytes(raw))) == ("signature",)
    raw = bytearray(machine.quote)
    raw[48 + (120 if kind == "tdx" else 48)] |= 3  # attributes: debug
    assert {"signature", "debug"} <= set(refusals(replace(machine, quote=bytes(raw))))
    collateral = json.loads(machine.collateral)
    collateral["tcb_info"] = collateral["tcb_info"].replace('"OutOfDate"', '"UpToDate"', 1)
    assert refusals(replace(machine, collateral=json.dumps(collateral).encode())) == ("collateral",)
    assert refusals(replace(machine, collateral=b"{}")) == ("format",)
    assert refusals(replace(machine, quote=machine.quote[:100])) == ("format",)


def test_an_intel_platform_that_is_out_of_date_is_refused(vectors: Path) -> None:
    pytest.importorskip("dcap_qvl", reason="pip install 'cryofed[trust]'")
    folder = vectors / "dcap-qvl"
    raw = (folder / "tdx_quote_outdated").read_bytes()
    machine = IntelQuote(quote=raw, collateral=(folder / "tdx_quote_outdated_collateral.json").read_bytes())
    now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    verdict = verify(
        Evidence(machine=machine), Policy(tdx=IntelPolicy(measurements=frozenset())), Exact(), now
    )
    assert "tcb-status" in verdict.refusals
    assert verdict.status == "unattested"


def test_a_genuine_hopper_report_passes_every_check_of_a_gpu() -> None:
    """The vector lies inside NVIDIA's own verifier, which is not among our dependencies."""
    found = find_spec("verifier")
    if found is None or not found.submodule_search_locations:
        pytest.skip("no Hopper vector: pip install --no-deps nv-local-gpu-verifier==2.7.3")
    samples = Path(found.submodule_search_locations[0]) / "samples"
    raw = bytes.fromhex((samples / "hopperAttestationReport.txt").read_text().strip())
    gpu = GpuReport(report=raw, chain=tuple(chain(samples / "hopperCertChain.txt")))
    agreed = GpuPolicy(drivers=frozenset({"550.90.07"}), firmwares=frozenset({"96.00.9F.00.01"}))

    def refusals(gpu: GpuReport) -> tuple[str, ...]:
        evidence = Evidence(machine=None, gpus=(gpu,))
        return verify(evidence, Policy(gpu=agreed), Exact(short=raw[4:36]), TODAY).refusals

    assert refusals(gpu) == ("machine",)  # all that a GPU can show is genuine; it needs a machine beside it
    for byte in range(0, len(raw), 41):  # a hundred of 4,117; each takes some milliseconds
        changed = bytearray(raw)
        changed[byte] ^= 1
        assert {"gpu-signature", "gpu-format"} & set(refusals(replace(gpu, report=bytes(changed))))
