"""A site asks what runs at the aggregator, and lets nothing out before it knows.

In profile attested no order is answered without a proof that is fresh. The site chooses a nonce. The
aggregator has its chip sign it together with its TLS key and the agreement, and the site verifies that
against the agreement's policy. A proof lasts `FRESH_S`, and no longer than the process that checked it.
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
from cryofed.errors import CryoFedError, GuardError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.wire.papers import Paper
from cryofed.trust.attestation.binding import Binding
from cryofed.trust.attestation.evidence import Evidence, read_evidence
from cryofed.trust.attestation.policy import Policy, read_policy
from cryofed.trust.attestation.verdict import ATTESTED, Verdict
from cryofed.trust.attestation.verifying import verify

FRESH_S = 600.0  # after which the aggregator must prove itself again
AGGREGATOR = "aggregator"  # its name and role in the agreement
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


def key_digest(fingerprint: str) -> bytes:
    """32 bytes: the SHA-256 that people read as a fingerprint."""
    return bytes.fromhex(fingerprint.removeprefix("SHA256:").replace(":", ""))


def answer_challenge(paper: Paper, plan: Plan, folder: Path | None, witness: Witness | None) -> bytes:
    """The next step of a proof: `challenge` gives a nonce, `evidence` is verified.

    Raises:
        GuardError: the evidence does not prove what was agreed; the log names every check.
    """
    if plan.profile != "attested" or witness is None or folder is None:
        raise GuardError("unattested", "this federation's agreement asks for no attestation")
    place = folder / "attest"
    nonce = place / "nonce"
    if paper.task == "challenge":
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        chosen = secrets.token_bytes(32)
        write_whole(nonce, chosen, mode=0o600)
        return chosen
    try:
        asked = nonce.read_bytes()
        nonce.unlink()  # it serves once
    except OSError:
        raise GuardError("unattested", "evidence that this site did not ask for") from None
    policy = read_policy(plan.attestation)
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


def check_attested(plan: Plan, folder: Path | None, witness: Witness | None) -> None:
    """Refuse to answer an aggregator that has not proven itself lately.

    Raises:
        GuardError: `unattested`; nothing that comes of this site's data leaves.
    """
    if plan.profile != "attested":
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
