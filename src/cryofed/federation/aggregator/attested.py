"""Evidence before anything else, in both directions; a carrier around a carrier.

The aggregator proves itself to every site before it asks anything of it. Where the agreement says what sites
must prove, each of them does so next, and one that does not is asked for nothing.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryofed.disk.documents import write_document
from cryofed.errors import WireError
from cryofed.federation.aggregator.carrier import TICK_S, Carrier
from cryofed.federation.agreement.attesting import sites_policy
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.wire.orders import EMPTY, Answer, order
from cryofed.federation.wire.papers import SITE_STEP, pack_paper, unpack_sealed
from cryofed.trust.attestation.binding import Binding
from cryofed.trust.attestation.evidence import MAX_BYTES, Evidence, read_evidence, write_evidence
from cryofed.trust.attestation.policy import Policy
from cryofed.trust.attestation.verdict import MEASURED_BOOT, UNATTESTED, Verdict
from cryofed.trust.attestation.verifying import verify

STEP_S = 60.0  # for one question and its answer
FRESH_S = 600.0  # after which a site must prove itself again
NONCE = 32
STANDING = "attestation.json"  # in a campaign's folder: what each site has proven, and why one has not


@dataclass(frozen=True, slots=True)
class Proving:
    """How this aggregator proves itself."""

    binding: Callable[[bytes], Binding]  # for a site's nonce
    evidence: Callable[[Binding], Evidence]  # asks the chip


@dataclass(frozen=True, slots=True)
class Asking:
    """What sites must prove."""

    binding: Callable[[str, bytes], Binding]  # of a site, for the aggregator's nonce
    verify: Callable[[Evidence, Policy, Binding, datetime], Verdict] = verify  # tests name other roots


class Attested:
    """Fills `Carrier`. Whoever does not accept a proof, or gives none, has its code as its answer."""

    def __init__(
        self,
        carrier: Carrier,
        plan: Plan,
        layout_hash: str,
        *,
        proving: Proving | None = None,
        asking: Asking | None = None,
        folder: Path | None = None,
    ) -> None:
        self._carrier, self._proving, self._asking, self._folder = carrier, proving, asking, folder
        self._policy = None if asking is None else sites_policy(plan)
        nothing = {"plan_hash": plan.hash, "start_hash": "0" * 64, "layout_hash": layout_hash}
        self._head = order("statistics", 0, EMPTY, **nothing)
        self._refused = deque[Answer]()
        self._proven: dict[str, float] = {}  # sites, and until when their proof holds
        self._standing: dict[str, dict[str, str]] = {}

    def present(self) -> Sequence[str]:
        """Sites that can be reached now."""
        return self._carrier.present()

    def ask(self, order: bytes, sites: Sequence[str]) -> None:
        """Prove, have proven, then ask those that are left."""
        if self._proving is not None:
            sites = self._convinced(self._proving, sites)
        if self._asking is not None:
            sites = self._believed(self._asking, sites)
        self._carrier.ask(order, sites)

    def answer(self, timeout_s: float) -> Answer | None:
        """The next answer; who was not convinced, or was not believed, comes first."""
        return self._refused.popleft() if self._refused else self._carrier.answer(timeout_s)

    def dismiss(self) -> None:
        """Wait no longer."""
        self._refused.clear()
        self._carrier.dismiss()

    def _convinced(self, proving: Proving, sites: Sequence[str]) -> list[str]:
        """The sites that accept this aggregator's evidence."""
        nonces = self._answers("challenge", dict.fromkeys(sites, b""), NONCE)
        convinced = []
        for site in sites:
            got = nonces[site]
            if not got.failure and len(got.data) == NONCE:
                proof = write_evidence(proving.evidence(proving.binding(bytes(got.data))))
                got = self._answers("evidence", {site: proof}, NONCE)[site]
                if not got.failure:
                    convinced.append(site)
                    continue
            self._refused.append(Answer(site=site, failure=got.failure or "wire-length"))
        return convinced

    def _believed(self, asking: Asking, sites: Sequence[str]) -> list[str]:
        """The sites whose evidence holds, now or a few minutes ago."""
        believed = []
        for site in sites:
            if time.monotonic() < self._proven.get(site, 0.0) or self._proves(asking, site):
                believed.append(site)
        return believed

    def _proves(self, asking: Asking, site: str) -> bool:
        nonce = secrets.token_bytes(NONCE)
        got = self._answers(SITE_STEP, {site: nonce}, MAX_BYTES)[site]
        standing = {"status": UNATTESTED, "platform": "", "why": got.failure}
        failure = got.failure
        if not failure:
            try:
                evidence = read_evidence(bytes(got.data))
                verdict = asking.verify(
                    evidence, self._policy or Policy(), asking.binding(site, nonce), datetime.now(UTC)
                )
                failed = [f"{one.code}: {one.words}" for one in verdict.checks if not one.passed]
                standing = {"status": verdict.status, "platform": verdict.platform, "why": "; ".join(failed)}
                failure = "" if verdict.meets(MEASURED_BOOT) else "unattested"
            except WireError as error:
                failure = standing["why"] = f"wire-{error.code}"
        self._note(site, standing)
        if failure:
            self._proven.pop(site, None)
            self._refused.append(Answer(site=site, failure=failure))
            return False
        self._proven[site] = time.monotonic() + FRESH_S
        return True

    def _note(self, site: str, standing: dict[str, str]) -> None:
        """What a site has proven, for people."""
        self._standing[site] = standing
        if self._folder is not None:
            write_document(self._folder / STANDING, {"sites": self._standing})

    def _answers(self, task: str, contents: Mapping[str, bytes], most: int) -> dict[str, Answer]:
        """What each site answers to a step: its content, or a failure."""
        if not contents:
            return {}
        (content,) = {*contents.values()}  # a carrier takes one message for all
        self._carrier.ask(pack_paper(self._head, task, content, most), [*contents])
        waiting, answers = set(contents), dict[str, Answer]()
        end = time.monotonic() + STEP_S
        while waiting and (left := end - time.monotonic()) > 0:
            got = self._carrier.answer(min(left, TICK_S))
            if got is None or got.site not in waiting:
                continue
            waiting.discard(got.site)
            answers[got.site] = self._opened(got, task, most)
        self._carrier.dismiss()
        return {site: Answer(site=site, failure="late") for site in waiting} | answers

    def _opened(self, got: Answer, task: str, most: int) -> Answer:
        if not got.data:
            return Answer(site=got.site, failure=got.failure or "no_answer")
        try:
            sealed = unpack_sealed(got.data, most)
        except WireError as error:
            return Answer(site=got.site, failure=f"wire-{error.code}")
        if (sealed.site, sealed.task) != (got.site, task):
            return Answer(site=got.site, failure="wire-order")
        return Answer(site=got.site, data=bytes(sealed.content))
