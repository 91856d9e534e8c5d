"""One site must not end another's work: every ticket is a secret of one site and the aggregator."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("nvflare", reason="the extra cryofed[flare] is not installed: pip install '.[flare]'")

from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable
from nvflare.apis.signal import Signal
from tests.contract import toy
from tests.contract.flare_harness import Cell, FlareInProcess, Wire, carrier_of, learner_of
from tests.contract.toy_learner import set_toys

from cryofed.errors import FederationError
from cryofed.federation.engines.flare.envelopes import DISMISS, ORDER, Ticket, opened
from cryofed.federation.engines.flare.site.executor import SiteExecutor
from cryofed.federation.engines.flare.transfer import Offer, fetch
from cryofed.federation.wire.orders import order, pack_order
from cryofed.learning.vector import vector_hash

HOSTILE, VICTIM = "alpha", "beta"


@pytest.fixture(scope="module")
def harness() -> Iterator[FlareInProcess]:
    made = FlareInProcess()
    with learner_of("tests.contract.toy_learner"):
        made._start([HOSTILE, VICTIM])
        yield made


def test_a_site_that_dismisses_another_with_all_that_it_knows_ends_nothing(
    harness: FlareInProcess, tmp_path: Path
) -> None:
    wire = harness.wire
    assert isinstance(wire, Wire)
    set_toys(harness.home, {HOSTILE: "honest", VICTIM: "honest"}, seconds=1.0)
    heard: list[str] = []
    original = SiteExecutor.execute

    def listening(self: SiteExecutor, name: str, task: Any, *rest: Any) -> Any:
        """The hostile site dismisses the other by its own ticket as soon as it has one."""
        if self is wire.executors[HOSTILE]:
            request = Shareable()
            request[ORDER] = opened(task)["ref"]
            heard.append(request[ORDER])
            time.sleep(0.3)  # the other has begun
            wire.handlers[VICTIM][DISMISS](DISMISS, request, FLContext())
        return original(self, name, task, *rest)

    plan = toy.plan((HOSTILE, VICTIM))
    hashes = {"plan_hash": plan.hash, "start_hash": vector_hash(toy.START), "layout_hash": toy.LAYOUT.hash}
    wire.sites = [HOSTILE, VICTIM]
    harness._settle(wire)
    SiteExecutor.execute = listening  # type: ignore[method-assign]
    try:
        carrier = carrier_of(wire, tmp_path, plan)
        carrier.ask(pack_order(order("train", 1, toy.START, **hashes)), wire.sites)
        answers = [carrier.answer(20.0), carrier.answer(20.0)]
        carrier.dismiss()
        carrier.close()
    finally:
        SiteExecutor.execute = original  # type: ignore[method-assign]
    assert {one.site: one.failure for one in answers if one} == {HOSTILE: "", VICTIM: ""}
    assert heard


def test_each_receiver_has_a_ticket_of_its_own_and_cannot_use_up_the_others(tmp_path: Path) -> None:
    (tmp_path / "order").write_bytes(b"x" * 100)
    offer = Offer(Cell("server"), tmp_path / "order", receivers=3)  # type: ignore[arg-type]
    assert len(set(offer.refs)) == 3
    for attempt in range(5):  # one site under many names
        name = f"alpha-{attempt}"
        fetch(Cell(name), "server", Ticket(offer.refs[0], 100), tmp_path / name, Signal())  # type: ignore[arg-type]
    for number, ref in enumerate(offer.refs[1:]):
        fetch(Cell(f"site-{number}"), "server", Ticket(ref, 100), tmp_path / f"{number}", Signal())  # type: ignore[arg-type]
    offer.withdraw()
    with pytest.raises(FederationError):
        fetch(Cell("late"), "server", Ticket(offer.refs[0], 100), tmp_path / "late", Signal())  # type: ignore[arg-type]


def test_strangers_dismissals_take_no_memory(harness: FlareInProcess) -> None:
    wire = harness.wire
    assert isinstance(wire, Wire)
    for number in range(1000):
        request = Shareable()
        request[ORDER] = f"{number}" * 1000
        wire.handlers[VICTIM][DISMISS](DISMISS, request, FLContext())
    kept = wire.executors[VICTIM]._dismissed
    assert sum(len(ref) for ref in kept) < 10_000


def test_a_learner_that_still_starts_is_not_killed_by_a_dismissal() -> None:
    executor = SiteExecutor()
    asked: list[object] = []
    learner = SimpleNamespace(ready=threading.Event(), alive=True, ask=asked.append, kill=None)
    executor._learner = learner  # type: ignore[assignment]
    stop = Signal()
    stop.trigger("dismissed")
    assert executor._worked({}, stop) == "dismissed"  # `kill` would fail
    assert executor._learner is learner
    assert not asked
