"""`cryofed trust verify`, as an officer types it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.trust.attestation.makers import BINDING, Amd, Tpm, certificate, rsa_key, spki

from cryofed.cli.main import main
from cryofed.trust.attestation.evidence import write_evidence

EXPECTED = ["--role", "aggregator", "--name", "hub", "--federation", "three-labs"]
EXPECTED += ["--nonce", BINDING.nonce.hex(), "--agreement", BINDING.agreement.hex()]


@pytest.fixture
def boot(tmp_path: Path) -> tuple[Path, list[str]]:
    """Evidence of a TPM, and all that an officer expects of it."""
    import hashlib

    key = rsa_key(5).public_key()
    pem = tmp_path / "hub.pem"
    pem.write_bytes(certificate("hub", key, "hub", rsa_key(5)).public_bytes(Encoding.PEM))
    binding = replace(BINDING, tls_key=hashlib.sha256(spki(key)).digest())
    tpm = Tpm()
    agreed = tpm.policy.tpm
    assert agreed is not None
    policy = tmp_path / "agreement.toml"
    policy.write_text(
        f'[attestation.tpm]\nmeasurements = ["{next(iter(agreed.measurements))}"]\n'
        f'keys = ["{next(iter(agreed.keys))}"]\n'
    )
    file = tmp_path / "evidence.json"
    file.write_bytes(write_evidence(tpm.evidence(binding)))
    return file, [*EXPECTED, "--certificate", str(pem), "--policy", str(policy)]


def test_what_was_expected_and_proven_exits_with_0(
    boot: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    file, expected = boot
    assert main(["trust", "verify", str(file), *expected]) == 0
    told = capsys.readouterr().out
    assert told.startswith("TPM measured boot: measured-boot\n")
    assert " NO " not in told
    assert "attested" not in told.replace("unattested", "")


def test_an_expectation_that_is_left_out_is_never_taken_as_met(
    boot: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    file, expected = boot
    at = expected.index("--nonce")
    assert main(["trust", "verify", str(file), *expected[:at], *expected[at + 2 :], "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "unattested"
    assert told["refused"] == ["expectation"]
    assert told["checks"][-1]["words"] == "not compared with what you expect: give --nonce"
    nonce = next(check for check in told["checks"] if check["code"] == "nonce")
    assert nonce["words"].endswith(", it says itself")


def test_another_nonce_is_refused_by_its_name(
    boot: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    file, expected = boot
    other = ["ff" * 32 if word == BINDING.nonce.hex() else word for word in expected]
    assert main(["trust", "verify", str(file), *other]) == 1
    told = capsys.readouterr().out
    assert told.startswith("TPM measured boot: unattested\n")
    assert " NO  nonce " in told


def test_without_a_policy_the_machine_is_told_to_write_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "evidence.json"
    file.write_bytes(write_evidence(Amd().evidence()))
    assert main(["trust", "verify", str(file), "--at", "2026-11-01T00:00:00Z"]) == 1
    told = capsys.readouterr().out
    assert told.startswith("AMD SEV-SNP: unattested\n")
    assert "    ?  nonce " in told  # nobody said what it should be
    assert "yes  nonce " not in told
    assert " NO  root " in told  # the tests' chip is not AMD's
    assert "no --policy was given; the evidence says of its machine:" in told


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "evidence: not a JSON document"),
        (b'{"schema":"x"}', "evidence: not a cryofed.evidence/1"),
        (b"x" * (1 << 21), "at most 1048576 are accepted"),
        (write_evidence(replace(Amd().evidence(), claims=None)), "claims: none"),
    ],
)
def test_a_bad_file_gets_one_line(
    tmp_path: Path, content: bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "evidence.json"
    file.write_bytes(content)
    assert main(["trust", "verify", str(file)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert told.err.count("\n") == 1


def test_a_bad_policy_certificate_or_nonce_gets_one_line(
    boot: tuple[Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, _ = boot
    bad = tmp_path / "bad.toml"
    for content, words in (
        ("x = ", "TOML"),
        ("x = 1", "attestation: no such table"),
        ("[attestation.snp]\nallow_debug = true", "measurements: missing"),
    ):
        bad.write_text(content)
        assert main(["trust", "verify", str(file), "--policy", str(bad)]) == 1
        assert words in capsys.readouterr().err
    assert main(["trust", "verify", str(file), "--certificate", str(bad)]) == 1
    assert "certificate" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["trust", "verify", str(file), "--nonce", "12"])
