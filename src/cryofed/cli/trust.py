"""Look at evidence of what runs where, for an officer: `cryofed trust verify FILE`."""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryofed.errors import InputError, WireError

if TYPE_CHECKING:
    from cryofed.trust.attestation.binding import Binding
    from cryofed.trust.attestation.policy import Policy
    from cryofed.trust.attestation.verdict import Verdict

import tomllib

_ITSELF = ", it says itself"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`verify`, with what the officer expects."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    verify = actions.add_parser(
        "verify",
        help="check a file of evidence, offline",
        description="Checks a file of evidence offline, and says every step in plain words. Exit status 0 "
        "only if all that you expect is given, and proven.",
    )
    verify.add_argument("file", type=Path, help="the evidence, as a participant sent it")
    verify.add_argument(
        "--policy",
        type=Path,
        help="TOML with the agreement's [attestation] table; of it, with --role site, [attestation.sites]",
    )
    verify.add_argument("--role", choices=("site", "aggregator"), help="what it must be made for")
    verify.add_argument("--name", help="site or aggregator that it must be made for")
    verify.add_argument("--federation", help="federation that it must be made for")
    verify.add_argument("--certificate", type=Path, help="PEM of the TLS certificate that it must name")
    verify.add_argument("--nonce", type=_digest, help="64 hex digits that the verifier chose")
    verify.add_argument("--agreement", type=_digest, help="SHA-256 of the signed agreement, 64 hex digits")
    verify.add_argument("--at", type=_time, help="verify as of this time (ISO 8601); now if left out")
    verify.add_argument("--json", action="store_true", help="the same for programs, on standard output")


def run(options: argparse.Namespace) -> int:
    """Print the chain; 0 if the evidence proves what was expected, else 1."""
    from cryofed.trust.attestation.evidence import MAX_BYTES, read_evidence
    from cryofed.trust.attestation.policy import Policy
    from cryofed.trust.attestation.verifying import verify

    path: Path = options.file
    try:
        with path.open("rb") as file:
            evidence = read_evidence(file.read(MAX_BYTES + 1))
    except OSError as error:
        raise InputError(path, "evidence", error.strerror or "unreadable", "give a readable file") from None
    except WireError as error:
        remedy = "give a file as `collect` wrote it; docs/trust.md shows one"
        raise InputError(path, "evidence", error.args[1], remedy) from None
    policy = _policy(options.policy, options.role) if options.policy else Policy()
    expected, missing = _expected(options, evidence.claims, path)
    now = options.at or datetime.now(UTC)
    verdict = verify(evidence, policy, expected, now)
    if missing:
        verdict = _short_of(verdict, missing)
    if options.json:
        print(json.dumps(_document(verdict, now), indent=2))
    else:
        _print(verdict, options.policy is None)
    return 0 if not verdict.refusals else 1


def _expected(
    options: argparse.Namespace, claims: Binding | None, path: Path
) -> tuple[Binding, tuple[str, ...]]:
    """What the evidence must be made for: as the officer says, else as the evidence itself says."""
    if claims is None:
        remedy = "have the participant send it again; cryofed writes what evidence was made for"
        raise InputError(path, "claims", "none", remedy)
    expected: dict[str, Any] = {
        "role": options.role,
        "name": options.name,
        "federation": options.federation,
        "tls_key": _key(options.certificate) if options.certificate else None,
        "nonce": options.nonce,
        "agreement": options.agreement,
    }
    given = {field: value for field, value in expected.items() if value is not None}
    return replace(claims, **given), tuple(field for field in expected if field not in given)


def _short_of(verdict: Verdict, missing: tuple[str, ...]) -> Verdict:
    """The verdict, no longer proven: nobody but the evidence itself said what it should be for."""
    from cryofed.trust.attestation.verdict import Check

    codes = {field.replace("_", "-") for field in missing}
    seen = [
        replace(check, words=f"{check.words}{_ITSELF}") if check.code in codes else check
        for check in verdict.checks
    ]
    options = ", ".join("--certificate" if field == "tls_key" else f"--{field}" for field in missing)
    words = f"not compared with what you expect: give {options}"
    return replace(verdict, checks=(*seen, Check("expectation", False, words)))


def _policy(path: Path, role: str | None) -> Policy:
    from cryofed.trust.attestation.policy import read_policy

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, "policy", error.strerror or "unreadable", "give a readable file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, "TOML", str(error), "correct this line") from None
    table = document.get("attestation")
    if not isinstance(table, dict):
        raise InputError(path, "attestation", "no such table", "write [attestation.snp] or another platform")
    of_sites = table.get("sites", {}) if isinstance(table, dict) else {}
    if role == "site":
        return read_policy(of_sites, str(path), "attestation.sites")
    return read_policy({name: part for name, part in table.items() if name != "sites"}, str(path))


def _key(path: Path) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(path, "certificate", type(error).__name__, "give the PEM of a certificate") from None
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).digest()


def _print(verdict: Verdict, without_policy: bool) -> None:
    print(f"{verdict.platform}: {verdict.status}")
    for check in verdict.checks:
        sign = " NO" if not check.passed else "  ?" if check.words.endswith(_ITSELF) else "yes"
        print(f"  {sign}  {check.code:<16} {check.words}")
    if without_policy and verdict.measured:
        print("no --policy was given; the evidence says of its machine:")
        for name, value in verdict.measured.items():
            print(f"  {name}: {value}")


def _document(verdict: Verdict, now: datetime) -> dict[str, Any]:
    return {
        "platform": verdict.platform,
        "status": verdict.status,
        "refused": list(verdict.refusals),
        "checks": [{"code": c.code, "passed": c.passed, "words": c.words} for c in verdict.checks],
        "measured": dict(verdict.measured),
        "at": now.isoformat(timespec="seconds"),
    }


def _digest(word: str) -> bytes:
    try:
        digest = bytes.fromhex(word)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise argparse.ArgumentTypeError("give 64 hexadecimal digits")
    return digest


def _time(word: str) -> datetime:
    try:
        moment = datetime.fromisoformat(word.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError("give a time like 2026-07-01T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
