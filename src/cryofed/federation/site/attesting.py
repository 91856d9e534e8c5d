"""A site asks what runs at the aggregator, and lets nothing out before it knows; and it proves itself.

In profile attested no order is answered without a proof that is fresh. The site chooses a nonce. The
aggregator has its chip sign it together with its TLS key and the agreement, and the site verifies that
against the agreement's policy. A proof lasts `FRESH_S`, and no longer than the process that checked it.

Where the agreement says what sites must prove, the aggregator chooses the nonce, and the site's chip signs.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryofed.disk.documents import read_document, write_document
from cryofed.disk.whole import write_whole
from cryofed.errors import CryoFedError, GuardError, InputError
from cryofed.federation.agreement.attesting import aggregator_policy
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.wire.papers import Paper
from cryofed.trust.attestation.binding import Binding
from cryofed.trust.attestation.evidence import Evidence, read_evidence, write_evidence
from cryofed.trust.attestation.policy import Policy
from cryofed.trust.attestation.verdict import ATTESTED, UNATTESTED, Verdict
from cryofed.trust.attestation.verifying import verify

FRESH_S = 600.0  # after which the aggregator must prove itself again
AGGREGATOR = "aggregator"  # its name and role in the agreement
NONCE = 32  # bytes
Verify = Callable[[Evidence, Policy, Binding, datetime], Verdict]


@dataclass(frozen=True, slots=True)
class Witness:
    """What a site of an attested federation knows of the aggregator beforehand."""

    agreement: str  # hash of the accepted agreement
    key: str  # fingerprint of the aggregator's TLS key, from the agreement
    verify: Verify = verify  # under the chip makers' roots; tests name others

    def binding(self, plan: Plan, nonce: bytes) -> Binding:
        """What the evidence must be made for."""
        return Binding(
            role=AGGREGATOR,
            name=AGGREGATOR,
            federation=plan.name,
            tls_key=key_digest(self.key),
            nonce=nonce,
            agreement=bytes.fromhex(self.agreement),
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """How a site proves itself, and by which key the agreement knows it."""

    agreement: str  # hash of the accepted agreement
    key: str  # fingerprint of its TLS key, from the agreement
    evidence: Callable[[Binding], Evidence]  # asks the chip


def site_binding(plan: Plan, name: str, key: str, agreement: str, nonce: bytes) -> Binding:
    """What a site's evidence must be made for: the site and the aggregator say it alike."""
    return Binding(
        role="site",
        name=name,
        federation=plan.name,
        tls_key=key_digest(key),
        nonce=nonce,
        agreement=bytes.fromhex(agreement),
    )


def key_digest(fingerprint: str) -> bytes:
    """32 bytes: the SHA-256 that people read as a fingerprint."""
    return bytes.fromhex(fingerprint.removeprefix("SHA256:").replace(":", ""))


def answer_challenge(paper: Paper, plan: Plan, folder: Path | None, witness: Witness | None) -> bytes:
    """The next step of a proof: `challenge` gives a nonce, `evidence` is verified.

    Raises:
        GuardError: the evidence does not prove what was agreed; the log names every check.
    """
    if not plan.attested or witness is None or folder is None:
        raise GuardError("unattested", "this federation's agreement asks for no attestation")
    place = folder / "attest"
    nonce = place / "nonce"
    if paper.task == "challenge":
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        chosen = secrets.token_bytes(NONCE)
        write_whole(nonce, chosen, mode=0o600)
        return chosen
    try:
        asked = nonce.read_bytes()
        nonce.unlink()  # it serves once
    except OSError:
        raise GuardError("unattested", "evidence that this site did not ask for") from None
    policy = aggregator_policy(plan)
    now = datetime.now(UTC)
    verdict = witness.verify(read_evidence(paper.content), policy, witness.binding(plan, asked), now)
    if not verdict.meets(ATTESTED):
        failed = "; ".join(f"{check.code}: {check.words}" for check in verdict.checks if not check.passed)
        raise GuardError("unattested", f"the aggregator is not proven: {failed or verdict.platform}")
    record = {
        "agreement": witness.agreement,
        "until": time.time() + FRESH_S,
        "status": verdict.status,
        "platform": verdict.platform,
    }
    write_document(proof_file(folder), record)
    return b"proven"


def answer_attest(paper: Paper, plan: Plan, name: str, claim: Claim | None) -> bytes:
    """This site's evidence, made for the aggregator's nonce.

    Raises:
        GuardError: it was not agreed on, or this machine has none.
    """
    if not plan.sites_attest or claim is None:
        raise GuardError("unattested", "this federation's agreement asks no site for evidence")
    if len(paper.content) != NONCE:
        raise GuardError("unattested", f"a nonce of {len(paper.content)} bytes")
    told = site_binding(plan, name, claim.key, claim.agreement, paper.content)
    try:
        return write_evidence(claim.evidence(told))
    except InputError as error:  # no chip, or none that works: its words stay here
        raise GuardError("unattested", str(error)) from None


def aggregator_standing(folder: Path, agreement: str) -> str:
    """In one of the three status words what this site knows of the aggregator now, and from what.

    Args:
        folder: the site's, where the last proof is noted.
        agreement: hash of the one that the site has accepted.
    """
    try:
        told = read_document(proof_file(folder))
        left = float(told["until"]) - time.time()
        if told["agreement"] == agreement and left > 0:
            return f"{told['status']} ({told['platform']}, for another {left / 60:.0f} min)"
    except (CryoFedError, OSError, KeyError, TypeError, ValueError):
        pass
    return UNATTESTED


def check_attested(plan: Plan, folder: Path | None, witness: Witness | None) -> None:
    """Refuse to answer an aggregator that has not proven itself lately.

    Raises:
        GuardError: `unattested`; nothing that comes of this site's data leaves.
    """
    if not plan.attested:
        return
    if witness is not None and folder is not None:
        try:
            record = read_document(proof_file(folder))
            if record["agreement"] == witness.agreement and time.time() < record["until"]:
                return
        except (CryoFedError, OSError, KeyError):
            pass
    raise GuardError("unattested", "the aggregator has not proven what it runs; nothing is sent")


def forget_proof(folder: Path) -> None:
    """A process that begins has seen no proof."""
    proof_file(folder).unlink(missing_ok=True)


def proof_file(folder: Path) -> Path:
    """Where the last proof is noted."""
    return folder / "attest" / "proof.json"
