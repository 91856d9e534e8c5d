"""Orders at a site, one at a time, each ended by its own dismissal and by no other's."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("nvflare")

from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable
from nvflare.apis.signal import Signal
from tests.contract import toy
from tests.contract.flare_harness import FlareInProcess, Wire, learner_of
from tests.contract.toy_learner import set_toys

from cryofed import __version__
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.engines.flare.envelopes import DISMISS, ORDER, TASK, envelope, opened
from cryofed.federation.engines.flare.transfer import Offer
from cryofed.federation.wire.orders import order, pack_order
from cryofed.learning.vector import vector_hash

SITE = "alpha"


@pytest.fixture(scope="module")
def harness() -> Iterator[FlareInProcess]:
    made = FlareInProcess()
    with learner_of("tests.contract.toy_learner"):
        made._start([SITE])
        yield made


@pytest.fixture
def wire(harness: FlareInProcess) -> Wire:
    assert harness.wire is not None
    return harness.wire


def offered(wire: Wire, folder: Path, number: int) -> Offer:
    """The order of a round, to be fetched from the aggregator."""
    plan = toy.plan((SITE,), min_updates=1)
    hashes = {"plan_hash": plan.hash, "start_hash": vector_hash(toy.START), "layout_hash": toy.LAYOUT.hash}
    path = folder / f"order-{number}"
    path.write_bytes(pack_order(order("train", number, toy.START, **hashes)))
    return Offer(wire.cell, path, 1)  # type: ignore[arg-type]


class Working:
    """An order at the site, in a thread of its own, as FLARE runs it."""

    def __init__(self, wire: Wire, offer: Offer) -> None:
        self.answer: dict[str, object] = {}
        self.began = threading.Event()
        told = {"plan": commented_plan(toy.plan((SITE,), min_updates=1)), "cryofed": __version__}
        request = envelope(told | {"ref": offer.ref, "bytes": offer.size})

        def work() -> None:
            self.began.set()
            done = wire.executors[SITE].execute(TASK, request, wire._context_of(SITE), Signal())
            self.answer = opened(done)

        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()
        self.began.wait(10)
        time.sleep(0.3)  # it is fetched and with the learner, or waits for its turn

    def result(self) -> dict[str, object]:
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.answer


def dismiss(wire: Wire, offer: Offer) -> None:
    request = Shareable()
    request[ORDER] = offer.ref
    wire.handlers[SITE][DISMISS](DISMISS, request, FLContext())


def test_a_dismissal_ends_its_own_order_though_the_next_one_is_waiting(
    harness: FlareInProcess, wire: Wire, tmp_path: Path
) -> None:
    set_toys(harness.home, {SITE: "hangs"})
    hung, following = offered(wire, tmp_path, 2), offered(wire, tmp_path, 1)
    first = Working(wire, hung)
    second = Working(wire, following)  # round 1: this toy misbehaves from round 2 on
    dismiss(wire, hung)
    assert first.result() == {"failure": "dismissed"}
    answer = second.result()
    assert "failure" not in answer
    assert answer["bytes"] > 0  # type: ignore[operator]


def test_an_order_that_was_dismissed_before_it_began_is_not_worked_on(
    harness: FlareInProcess, wire: Wire, tmp_path: Path
) -> None:
    set_toys(harness.home, {SITE: "hangs"})
    offer = offered(wire, tmp_path, 2)
    dismiss(wire, offer)
    assert Working(wire, offer).result() == {"failure": "dismissed"}


def test_the_dismissal_of_another_order_ends_nothing(
    harness: FlareInProcess, wire: Wire, tmp_path: Path
) -> None:
    set_toys(harness.home, {SITE: "honest"}, seconds=1.0)
    earlier, offer = offered(wire, tmp_path, 1), offered(wire, tmp_path, 2)
    work = Working(wire, offer)
    dismiss(wire, earlier)
    assert "failure" not in work.result()
