"""A masked round at the aggregator: it learns who took part, and the sum.

The sites train first. Those that have trained are the roster of an attempt: each offers a key, each sends its
update under masks, and once all of them have, each opens its own mask. A site that goes missing before the
last step ends the attempt, and the others begin another one with new keys, without training again. What
must outlive a crash is on disk before the next step is asked for, in `masked/`.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryofed.disk.documents import read_document, write_document
from cryofed.disk.whole import mapped_bytes, write_whole
from cryofed.errors import FederationError, GuardError, WireError
from cryofed.federation.aggregator.carrier import TICK_S, Carrier
from cryofed.federation.aggregator.rounds import Rounds
from cryofed.federation.agreement.masking import Seal, mask_rules
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import Answer, Order, pack_order
from cryofed.federation.wire.papers import Sealed, pack_paper, unpack_sealed
from cryofed.trust.masks.masking import check_masked, gather, unmask
from cryofed.trust.masks.messages import Call, Complete, Masked, Offer, Offers, Opening
from cryofed.trust.masks.rules import MaskRules, check_offer, new_call

SMALL = 4096  # bytes of an offer or an opening
LEAST_S = 60.0  # for a step that needs no training


def run_masked_rounds(rounds: Rounds, carrier: Carrier, seal: Seal) -> None:
    """Drive the rounds to their end, as `carrier.run_rounds` does in profile open.

    Raises:
        FederationError: a round failed for good, or a sum waits for a site that must open its mask; a later
            run resumes.
    """
    while not rounds.finished:
        order, sites = rounds.begin(carrier.present())
        rules = mask_rules(rounds.plan, seal, order.start_hash, rounds.strategy.channels * rounds.layout.size)
        Round(rounds, carrier, rules, order, rounds.folder / "masked").run(sites)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt whose masked updates are all on disk: only the openings are missing."""

    call: Call
    offers: Offers


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to some sites."""

    task: str
    content: bytes
    sites: Collection[str]
    most: int  # bytes of an answer's content
    note: Callable[[Sealed], None]  # takes an answer, or raises


@dataclass(frozen=True, slots=True)
class Round:
    """The round that runs now."""

    rounds: Rounds
    carrier: Carrier
    rules: MaskRules
    order: Order
    folder: Path

    def run(self, sites: Sequence[str]) -> None:
        """Train, sum, combine; a round without enough sites fails as any other."""
        attempt = self._waiting()
        if attempt is None:
            self._train(sites)
            attempt = self._complete()
        if attempt is None:
            self.rounds.close()
            return
        openings = self._open(attempt)
        total = unmask(attempt.call, self._masked(attempt.call), openings, self.rules)
        sizes = {site: self._path(site).stat().st_size for site in attempt.call.roster}
        self.rounds.close_masked(total.vector, total.weight, sizes)
        shutil.rmtree(self.folder)

    def _train(self, sites: Sequence[str]) -> None:
        """Until everybody has trained, or the round's time is up."""

        def note(sealed: Sealed) -> None:
            if len(sealed.content):
                raise WireError("length", "more than the word that it has trained")
            self.rounds.trained(sealed.site)

        self._ask(Ask("train", b"", sites, 0, note), pack_order(self.order), self.rounds.seconds_left)

    def _complete(self) -> Attempt | None:
        """Attempts until every site of one has sent its masked update; None when too few are left."""
        while len(self.rounds.ready) >= self.rules.min_sites:
            call = self._called(self.rounds.ready)
            arrived: dict[str, Offer] = {}

            def note_offer(sealed: Sealed, call: Call = call, arrived: dict[str, Offer] = arrived) -> None:
                offer = Offer.from_bytes(bytes(sealed.content))
                if offer.site != sealed.site:
                    raise WireError("mask-call", "an offer of another site")
                check_offer(offer, call, self.rules)
                arrived[sealed.site] = offer

            self._step(Ask("offer", call.to_bytes(), call.roster, SMALL, note_offer))
            if set(arrived) != set(call.roster):
                continue
            offers = gather(call, arrived.values(), self.rules)
            sent: set[str] = set()

            def note_masked(
                sealed: Sealed, call: Call = call, offers: Offers = offers, sent: set[str] = sent
            ) -> None:
                masked = Masked.from_bytes(memoryview(sealed.content), call.numbers + 1)
                if masked.site != sealed.site:
                    raise WireError("mask-call", "a masked update of another site")
                check_masked(masked, call, offers)
                write_whole(self._path(sealed.site), sealed.content)
                sent.add(sealed.site)

            most = 8 * (call.numbers + 1) + 2 * SMALL
            self._step(Ask("mask", offers.to_bytes(), call.roster, most, note_masked))
            if sent == set(call.roster):
                write_document(self._state, self._stage(call, offers))
                return Attempt(call, offers)
        return None

    def _open(self, attempt: Attempt) -> Mapping[str, Opening]:
        """Every site's own mask. Without all of them there is no sum, and no second one may be made."""
        openings: dict[str, Opening] = {}
        call = attempt.call

        def note(sealed: Sealed) -> None:
            opening = Opening.from_bytes(bytes(sealed.content))
            if (opening.site, opening.call) != (sealed.site, call.hash):
                raise WireError("mask-call", "an opening of another site or attempt")
            openings[sealed.site] = opening

        content = Complete(call.hash, attempt.offers.hash).to_bytes()
        self._step(Ask("open", content, call.roster, SMALL, note))
        if missing := sorted(set(call.roster) - set(openings)):
            raise FederationError(
                f"round {call.round_number}: {', '.join(missing)} must still open the mask of an update that "
                "is in the sum already; start these sites, then run again to resume"
            )
        return openings

    def _step(self, ask: Ask) -> None:
        rules = self.rounds.plan.rounds
        end = time.monotonic() + min(rules.deadline_s, max(LEAST_S, rules.grace_s))
        self._ask(
            ask, pack_paper(self.order, ask.task, ask.content, ask.most), lambda: end - time.monotonic()
        )

    def _ask(self, ask: Ask, data: bytes, seconds_left: Callable[[], float]) -> None:
        """Ask, and take what comes; whoever does not answer as it must is out of this round."""
        self.carrier.ask(data, sorted(ask.sites))
        waiting = set(ask.sites)
        while waiting and (left := seconds_left()) > 0:
            answer = self.carrier.answer(min(left, TICK_S))
            if answer is None or answer.site not in waiting:
                continue
            waiting.discard(answer.site)
            if code := self._taken(answer, ask):
                self.rounds.drop(answer.site, code)
        for site in sorted(waiting):
            self.rounds.drop(site, "late")
        self.carrier.dismiss()

    def _taken(self, answer: Answer, ask: Ask) -> str:
        """Empty where the answer serves, else why not."""
        if not answer.data:
            return answer.failure or "no_update"
        try:
            sealed = unpack_sealed(answer.data, ask.most)
            asked = (answer.site, ask.task, self.order.round_number, self.order.model_hash)
            if (sealed.site, sealed.task, sealed.round_number, sealed.model_hash) != asked:
                raise WireError("order", "an answer to something else")
            ask.note(sealed)
        except (WireError, GuardError) as error:
            return f"wire-{error.code}"
        return ""

    def _called(self, sites: Collection[str]) -> Call:
        """The next attempt, noted before anybody hears of it: its number is never used again."""
        last = read_document(self._state)["attempt"] if self._is_of_this_round() else 0
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        call = new_call(self.rules, self.order.round_number, bytes.fromhex(self.order.model_hash), sites)
        call = replace(call, attempt=int(last) + 1)
        write_document(self._state, self._stage(call, None))
        return call

    def _waiting(self) -> Attempt | None:
        """What a run that was killed left: a complete attempt of this round, or nothing."""
        if not self._is_of_this_round() or not (state := read_document(self._state))["offers"]:
            return None
        call, offers = Call.from_bytes(state["call"].encode()), Offers.from_bytes(state["offers"].encode())
        if call.campaign != self.rules.campaign or not all(self._path(site).exists() for site in call.roster):
            return None
        return Attempt(call, offers)

    def _is_of_this_round(self) -> bool:
        if not self._state.exists():
            return False
        state = read_document(self._state)
        return (state["round"], state["model"]) == (self.order.round_number, self.order.model_hash)

    def _stage(self, call: Call, offers: Offers | None) -> dict[str, object]:
        return {
            "round": self.order.round_number,
            "model": self.order.model_hash,
            "attempt": call.attempt,
            "call": call.to_bytes().decode(),
            "offers": offers.to_bytes().decode() if offers else "",
        }

    def _masked(self, call: Call) -> Iterator[Masked]:
        """One after the other, as maps of their files."""
        for site in call.roster:
            yield Masked.from_bytes(_view(mapped_bytes(self._path(site))), call.numbers + 1)

    @property
    def _state(self) -> Path:
        return self.folder / "state.json"

    def _path(self, site: str) -> Path:
        return self.folder / f"{site}.masked"


def _view(data: Buffer) -> memoryview:
    return memoryview(data)
