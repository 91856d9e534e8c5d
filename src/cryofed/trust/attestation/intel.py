"""Intel TDX and SGX: a quote, signed by Intel's quoting enclave for this platform.

dcap-qvl checks the signatures, Intel's certificates and revocation lists, and finds the platform's level
in Intel's collateral; it compares no measurement and no `report_data`. That, and what was agreed, is
checked here, each with its own reason. Layout: Intel, TDX DCAP Quoting Library API, and SGX DCAP.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cryofed.errors import MissingPackageError, WireError
from cryofed.trust.attestation.binding import Binding, Exact, signed_for
from cryofed.trust.attestation.certificates import x509_module
from cryofed.trust.attestation.evidence import IntelQuote
from cryofed.trust.attestation.policy import IntelPolicy
from cryofed.trust.attestation.roots import Roots
from cryofed.trust.attestation.verdict import Check

TDX, SGX = "Intel TDX", "Intel SGX"
# Of a TDX machine's attributes; every bit of the first byte gives the host a look inside.
_TD_DEBUG, _SEPT_VE_DISABLE, _MIGRATABLE = 0xFF, 1 << 28, 1 << 29
_TD_OTHERS = 1 << 27 | 1 << 30 | 1 << 31 | 1 << 63  # LASS, PKS, KL, PERFMON: the guest's own business
_SGX_INIT, _SGX_DEBUG = 1, 2  # of an enclave's attributes


def platform(evidence: IntelQuote) -> str:
    """Which of the two it is.

    Raises:
        WireError: not a quote.
    """
    return TDX if _quote(evidence).is_tdx() else SGX


def measured(evidence: IntelQuote) -> dict[str, str]:
    """What the quote says of the machine, for a person and for a draft of a policy."""
    quote = _quote(evidence)
    extension = quote.pck_extension()
    values = {"measurement": _measurement(quote.report)}
    if extension is not None:
        values["platform"] = extension.ppid.hex()
    if not quote.is_tdx():
        values["MRSIGNER"] = quote.report.mr_signer.hex()
    return values


def checks(
    evidence: IntelQuote, policy: IntelPolicy | None, binding: Binding | Exact, now: datetime, roots: Roots
) -> Iterator[Check]:
    """Every check of a quote; what only Intel's collateral tells is left out where that does not verify.

    Raises:
        WireError: the quote or the collateral cannot be read at all.
    """
    quote = _quote(evidence)
    claims = _verified(evidence, roots, now)
    if isinstance(claims, Check):
        yield claims
    else:
        pin = bytes(claims["platform"]["root_key_id"]).hex()
        known = pin == roots.intel
        yield Check("root", known, "Intel's root key" if known else f"root key {pin[:16]}… is not Intel's")
        yield Check("chain", True, "platform's certificate, collateral and revocation lists are Intel's")
        yield Check("signature", True, "the quoting enclave signed this quote")
    yield from _attributes(quote)
    yield signed_for("report-data", quote.report.report_data, binding.report_data)
    if policy is None:
        yield Check("policy", False, f"the policy accepts no {platform(evidence)} machine")
        return
    measurement = _measurement(quote.report)
    known = measurement in policy.measurements
    yield Check("measurement", known, f"{measurement} is {'' if known else 'not '}in the agreement")
    if not isinstance(claims, Check):
        yield from _agreed(claims, policy)


def _attributes(quote: Any) -> Iterator[Check]:
    report = quote.report
    if not quote.is_tdx():
        flags = report.attributes[0]
        yield Check(
            "debug", not flags & _SGX_DEBUG, f"the enclave's debug bit is {bool(flags & _SGX_DEBUG):d}"
        )
        yield Check("initialized", bool(flags & _SGX_INIT), "the enclave was initialized")
        return
    attributes = int.from_bytes(report.td_attributes, "little")
    yield Check(
        "debug", not attributes & _TD_DEBUG, f"the machine's debug bits are {attributes & _TD_DEBUG:#x}"
    )
    disabled = bool(attributes & _SEPT_VE_DISABLE)
    yield Check("sept-ve", disabled, f"the host may {'not ' if disabled else ''}take pages unseen")
    moves = bool(attributes & _MIGRATABLE)
    yield Check("migration", not moves, f"the host may {'' if moves else 'not '}move the machine")
    odd = attributes & ~(_TD_OTHERS | _TD_DEBUG | _SEPT_VE_DISABLE | _MIGRATABLE)
    yield Check("attributes", not odd, f"attributes without a meaning are {odd:#x}; 0 is right")
    theirs = not any(report.mr_signer_seam) and not any(report.seam_attributes)
    yield Check("module", theirs, f"the TDX module is {'' if theirs else 'not '}Intel's")


def _agreed(claims: Mapping[str, Any], policy: IntelPolicy) -> Iterator[Check]:
    tcb, pck = claims["tcb"], claims["platform"]["pck"]
    status, advisories = str(tcb["status"]), list(tcb["advisory_ids"])
    yield Check("tcb-status", status in policy.statuses, f"Intel says of the platform: {status}")
    refused = sorted(set(advisories) & policy.refused_advisories)
    text = f"advisories that apply: {', '.join(advisories) or 'none'}"
    yield Check("advisory", not refused, text)
    number = int(tcb["eval_data_number"])
    yield Check(
        "evaluation", number >= policy.min_evaluation,
        f"Intel's TCB evaluation {number}, at least {policy.min_evaluation} was agreed",
    )  # fmt: skip
    for code, field, allowed, words in (
        ("dynamic-platform", "dynamic_platform", policy.allow_dynamic_platform, "processors may be added"),
        ("cached-keys", "cached_keys", policy.allow_cached_keys, "Intel may cache the platform's keys"),
        ("smt", "smt_enabled", policy.allow_smt, "two threads may share a core"),
    ):
        value = str(pck[field])
        yield Check(code, allowed or value != "True", f"{words}: {value.lower()}")
    if policy.platforms:
        known = bytes(pck["ppid"]).hex() in policy.platforms
        yield Check("platform-list", known, f"this platform is {'' if known else 'not '}in the agreement")


def _verified(evidence: IntelQuote, roots: Roots, now: datetime) -> Mapping[str, Any] | Check:
    """dcap-qvl's claims of a quote that verifies, or the check that failed."""
    qvl = _module()
    seconds = int(now.timestamp())
    try:
        collateral = qvl.QuoteCollateralV3.from_json(evidence.collateral.decode("utf-8"))
    except (ValueError, UnicodeDecodeError):
        raise WireError("format", "the collateral is not Intel's as dcap-qvl writes it") from None
    verifier = qvl.QuoteVerifier(roots.intel_certificate)
    try:
        # claims_only: signatures, certificates, lists and dates; what was agreed is compared here.
        claims = verifier.verify_with_policy(
            evidence.quote, collateral, seconds, qvl.QuotePolicy.claims_only(seconds)
        )
    except ValueError as error:
        words = str(error).removeprefix("Verification failed: ")[:200]
        code = _code(words)
        if code == "chain" and _revoked(evidence, collateral):
            return Check("revoked", False, "a certificate of the platform is revoked")
        return Check(code, False, words)
    claims_read: Mapping[str, Any] = json.loads(claims.to_json())
    return claims_read


def _revoked(evidence: IntelQuote, collateral: Any) -> bool:
    """Whether that is why the chain does not hold, which dcap-qvl does not say. It is refused either way."""
    x509 = x509_module()
    try:
        chain = x509.load_pem_x509_certificates(_quote(evidence).cert_chain_pem_bytes() or b"")
        lists = [x509.load_der_x509_crl(raw) for raw in (collateral.pck_crl, collateral.root_ca_crl)]
        return any(
            listed.issuer == one.issuer
            and listed.get_revoked_certificate_by_serial_number(one.serial_number) is not None
            for one in chain
            for listed in lists
        )
    except (ValueError, TypeError):
        return False


def _code(words: str) -> str:
    """Which of our reasons dcap-qvl's sentence is."""
    low = words.lower()
    for code, parts in (
        ("expired", ("expired", "in the future", "notvalidyet")),
        ("debug", ("debug",)),
        ("signature", ("report signature", "quote signature", "qe report")),
        ("tcb-status", ("tcb level", "tcb status", "fmspc")),
        ("collateral", ("signature is invalid for", "tcb_info", "tcbinfo", "qe_identity", "qe identity")),
    ):
        if any(part in low for part in parts):
            return code
    return "chain"


def _measurement(report: Any) -> str:
    if hasattr(report, "mr_enclave"):
        return str(report.mr_enclave.hex())
    return "/".join(getattr(report, part).hex() for part in ("mr_td", "rt_mr0", "rt_mr1", "rt_mr2", "rt_mr3"))


def _quote(evidence: IntelQuote) -> Any:
    try:
        return _module().parse_quote(evidence.quote)
    except ValueError:
        raise WireError("format", "not an Intel quote") from None


def _module() -> Any:
    try:
        import dcap_qvl
    except ImportError:
        raise MissingPackageError("dcap-qvl", "trust") from None
    return dcap_qvl
