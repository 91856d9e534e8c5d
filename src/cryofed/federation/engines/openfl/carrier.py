"""Fills the engine port with OpenFL: an order is one of its rounds, the tensors are the order's pieces."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence

from cryofed.errors import FederationError
from cryofed.federation.engines.openfl.link import Link
from cryofed.federation.wire.orders import Answer

SETTLE_S = 5.0  # how long the first round waits for sites beyond the quorum
WAIT_S = 60.0  # how long a round waits for the quorum: sites of an aggregator that was killed come back
POLL_S = 0.2


class OpenFLCarrier:
    """Fills `aggregator.carrier.Carrier`."""

    def __init__(
        self,
        link: Link,
        plan: str,
        quorum: int,
        sites: Sequence[str],
        *,
        deadline_s: float,
        check: Callable[[], None] = lambda: None,
        wait_s: float = WAIT_S,
    ) -> None:
        """Take over the link's desk.

        Args:
            link: the server.
            plan: that the learner is given with each order.
            quorum: sites without which no round begins.
            sites: that may take part.
            deadline_s: of a round.
            check: called often; raises where this turn must end.
            wait_s: how long a round waits for the quorum.
        """
        self._link, self._plan, self._check = link, plan, check
        self._deadline_s = deadline_s
        self._quorum, self._sites, self._wait_s = quorum, frozenset(sites), wait_s
        self._waiting: set[str] = set()
        self._settled = time.monotonic() + SETTLE_S

    def present(self) -> Sequence[str]:
        """Sites that have called lately; waits for the quorum, and at first for all."""
        end = time.monotonic() + self._wait_s
        while True:
            self._check()
            there = self._link.door.present() & self._sites
            now = time.monotonic()
            enough = len(there) >= (len(self._sites) if now < self._settled else self._quorum)
            if enough or now > end:
                self._settled = 0.0
                return sorted(there)
            time.sleep(POLL_S)

    def ask(self, order: bytes, sites: Sequence[str]) -> None:
        """Lay the order down for these sites, which fetch it."""
        self._waiting = set(sites)
        self._link.desk.lay_down(order, self._plan, sites, self._deadline_s)

    def answer(self, timeout_s: float) -> Answer | None:
        """The next answer; a site of ours that is silent for 20 s answers with `site_gone`."""
        end = time.monotonic() + timeout_s
        while True:
            if not self._link.serves:
                raise FederationError(
                    "the aggregator's server has ended; see its console.log, then run again"
                )
            left = end - time.monotonic()
            answer = self._next(max(0.0, min(0.5, left)))
            if answer is not None:
                self._waiting.discard(answer.site)
                return answer
            if left <= 0:
                return None

    def dismiss(self) -> None:
        """End OpenFL's round: a site that works on it sees that it is gone."""
        self._waiting.clear()
        self._link.desk.take_back()

    def close(self) -> None:
        """Leave an empty desk."""
        self.dismiss()

    def _next(self, seconds: float) -> Answer | None:
        revoked = self._waiting & self._link.door.revoked()
        if revoked:  # at once; what it has sent and still sends is dropped
            return Answer(site=min(revoked), failure="revoked")
        try:
            answer = self._link.desk.answers.get(timeout=seconds)
        except queue.Empty:
            gone = next((site for site in sorted(self._waiting) if self._silent(site)), None)
            return None if gone is None else Answer(site=gone, failure="site_gone")
        return None if answer.site in self._link.door.revoked() else answer

    def _silent(self, site: str) -> bool:
        """Whether a site should have called: ours do while they work, OpenFL's own program does not."""
        return bool(self._link.door.life(site)) and site not in self._link.door.present()
