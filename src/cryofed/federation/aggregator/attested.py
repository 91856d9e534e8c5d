"""The aggregator proves itself to every site before it asks anything of it; a carrier around a carrier."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryofed.errors import WireError
from cryofed.federation.aggregator.carrier import TICK_S, Carrier
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.wire.orders import EMPTY, Answer, order
from cryofed.federation.wire.papers import pack_paper, unpack_sealed
from cryofed.trust.attestation.binding import Binding
from cryofed.trust.attestation.evidence import Evidence, write_evidence

STEP_S = 60.0  # for one question and its answer
NONCE = 32


@dataclass(frozen=True, slots=True)
class Proving:
    """How this aggregator proves itself."""

    binding: Callable[[bytes], Binding]  # for a site's nonce
    evidence: Callable[[Binding], Evidence]  # asks the chip


class Attested:
    """Fills `Carrier`. A site that does not accept the proof answers no order, and its code is its answer."""

    def __init__(self, carrier: Carrier, plan: Plan, proving: Proving, layout_hash: str) -> None:
        self._carrier, self._proving = carrier, proving
        nothing = {"plan_hash": plan.hash, "start_hash": "0" * 64, "layout_hash": layout_hash}
        self._head = order("statistics", 0, EMPTY, **nothing)
        self._refused = deque[Answer]()

    def present(self) -> Sequence[str]:
        """Sites that can be reached now."""
        return self._carrier.present()

    def ask(self, order: bytes, sites: Sequence[str]) -> None:
        """Prove, then ask those that are convinced."""
        nonces = self._answers("challenge", b"", sites, NONCE)
        convinced = []
        for site in sites:
            nonce = nonces.get(site, Answer(site=site, failure="late"))
            if not nonce.failure and len(nonce.data) == NONCE:
                proof = write_evidence(self._proving.evidence(self._proving.binding(bytes(nonce.data))))
                nonce = self._answers("evidence", proof, [site], NONCE).get(
                    site, Answer(site=site, failure="late")
                )
                if not nonce.failure:
                    convinced.append(site)
                    continue
            self._refused.append(Answer(site=site, failure=nonce.failure or "wire-length"))
        self._carrier.ask(order, convinced)

    def answer(self, timeout_s: float) -> Answer | None:
        """The next answer; who was not convinced comes first."""
        return self._refused.popleft() if self._refused else self._carrier.answer(timeout_s)

    def dismiss(self) -> None:
        """Wait no longer."""
        self._refused.clear()
        self._carrier.dismiss()

    def _answers(self, task: str, content: bytes, sites: Sequence[str], most: int) -> dict[str, Answer]:
        """What each site answers to a step; its content, or a failure."""
        self._carrier.ask(pack_paper(self._head, task, content, most), sites)
        waiting, answers = set(sites), dict[str, Answer]()
        end = time.monotonic() + STEP_S
        while waiting and (left := end - time.monotonic()) > 0:
            got = self._carrier.answer(min(left, TICK_S))
            if got is None or got.site not in waiting:
                continue
            waiting.discard(got.site)
            answers[got.site] = self._opened(got, task, most)
        self._carrier.dismiss()
        return answers

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
