"""The port that every engine fills: it carries orders to sites and answers back, and decides nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from cryofed.errors import WireError
from cryofed.federation.aggregator.rounds import Rounds
from cryofed.federation.wire.orders import Answer, Numbers, Order, pack_order, unpack_numbers


class Carrier(Protocol):
    """Sees no image, no file and no network layout."""

    def present(self) -> Sequence[str]:
        """Sites that can be reached now."""
        ...

    def ask(self, order: bytes, sites: Sequence[str]) -> None:
        """Send the order to these sites; does not wait."""
        ...

    def answer(self, timeout_s: float) -> Answer | None:
        """The next answer, None when none came in time. A site known to be dead answers with a failure."""
        ...

    def dismiss(self) -> None:
        """Wait no longer for the sites that were asked; what still comes may be dropped."""
        ...


def collect(carrier: Carrier, order: Order, sites: Sequence[str], deadline_s: float) -> dict[str, Numbers]:
    """Ask sites for numbers and give what came in time; an answer that does not fit the order is left out."""
    carrier.ask(pack_order(order), sites)
    waiting, answers = set(sites), dict[str, Numbers]()
    end = time.monotonic() + deadline_s
    while waiting and (left := end - time.monotonic()) > 0:
        answer = carrier.answer(min(left, TICK_S))
        if answer is None:
            continue
        waiting.discard(answer.site)
        try:
            numbers = unpack_numbers(answer.data)
        except WireError:
            continue
        asked = (order.task, order.round_number, order.model_hash)
        if numbers.site == answer.site and (numbers.task, numbers.round_number, numbers.model_hash) == asked:
            answers[answer.site] = numbers
    carrier.dismiss()
    return dict(sorted(answers.items()))


TICK_S = 1.0  # longest wait in one piece, so that an interrupt is heard


def run_rounds(rounds: Rounds, carrier: Carrier) -> None:
    """Drive the rounds to their end: the whole loop of an engine.

    Raises:
        FederationError: a round failed for good; the checkpoint is whole and a later run resumes.
    """
    while not rounds.finished:
        order, sites = rounds.begin(carrier.present())
        carrier.ask(pack_order(order), sites)
        while (left := rounds.seconds_left()) > 0:
            answer = carrier.answer(min(left, TICK_S))
            if answer is not None:
                rounds.receive(answer)
        carrier.dismiss()
        rounds.close()
