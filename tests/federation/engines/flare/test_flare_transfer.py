"""Orders and answers travel as files in pieces: whole or not at all, and a few at a time."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("nvflare", reason="the extra cryofed[flare] is not installed: pip install '.[flare]'")

from nvflare.apis.signal import Signal
from nvflare.fuel.f3.streaming.blob_streamer import BlobStream
from nvflare.fuel.f3.streaming.byte_streamer import TxTask
from tests.contract.flare_harness import Cell

from cryofed.errors import FederationError
from cryofed.federation.engines.flare import transfer
from cryofed.federation.engines.flare.aggregator.arrivals import HOLD_S, Arrivals
from cryofed.federation.engines.flare.envelopes import Ticket, opened, ticket_in
from cryofed.federation.engines.flare.inside import let_go_of_what_was_sent, refuse_references
from cryofed.federation.engines.flare.transfer import AT_A_TIME, Offer, fetch
from cryofed.federation.wire.orders import Answer

CONTENT = bytes(range(250)) * 10  # 2,500 bytes: three pieces of 1,000


@pytest.fixture(autouse=True)
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PIECE", 1000)
    monkeypatch.setattr(transfer, "SMALL", 1000)
    monkeypatch.setattr(transfer, "PAUSE_S", 0.01)


@pytest.fixture
def offer(tmp_path: Path) -> Iterator[Offer]:
    (tmp_path / "answer").write_bytes(CONTENT)
    one = Offer(Cell("alpha"), tmp_path / "answer", receivers=20)
    yield one
    one.withdraw()


def test_a_parcel_arrives_whole(offer: Offer, tmp_path: Path) -> None:
    fetch(Cell("server"), "alpha", Ticket(offer.ref, offer.size), tmp_path / "got", Signal())
    assert (tmp_path / "got").read_bytes() == CONTENT


@pytest.mark.parametrize("told", [2499, 2501])
def test_a_parcel_of_another_size_than_told_leaves_nothing(offer: Offer, tmp_path: Path, told: int) -> None:
    with pytest.raises(FederationError, match=f"alpha: .* of {told} bytes came"):
        fetch(Cell("server"), "alpha", Ticket(offer.ref, told), tmp_path / "got", Signal())
    assert not (tmp_path / "got").exists()


def test_what_was_withdrawn_cannot_be_fetched(offer: Offer, tmp_path: Path) -> None:
    offer.withdraw()
    assert not offer.path.exists()
    with pytest.raises(FederationError, match="alpha: 0 of 2500 bytes came"):
        fetch(Cell("server"), "alpha", Ticket(offer.ref, 2500), tmp_path / "got", Signal())


def test_only_a_few_are_served_at_a_time_and_the_next_when_one_has_all(offer: Offer) -> None:
    one = transfer._Pieces(offer.path)
    first = [one.produce(None, f"site-{number}") for number in range(AT_A_TIME)]
    assert all(data == CONTENT[:1000] for _, data, _ in first)
    assert one.produce(None, "late") == ("ok", b"", {"received_bytes": 0})
    assert one.produce({"received_bytes": 2500}, "site-0")[0] == "eof"
    assert one.produce(None, "late") == ("ok", CONTENT[:1000], {"received_bytes": 1000})


def test_a_small_file_goes_to_everybody_at_once(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "SMALL", offer.size)
    one = transfer._Pieces(offer.path)
    first = [one.produce(None, f"site-{number}") for number in range(AT_A_TIME + 3)]
    assert all(data == CONTENT[:1000] for _, data, _ in first)


def test_all_of_many_receivers_get_it_whole(offer: Offer, tmp_path: Path) -> None:
    def receive(name: str, ref: str) -> None:
        fetch(Cell(name), "alpha", Ticket(ref, offer.size), tmp_path / name, Signal())

    threads = [
        threading.Thread(target=receive, args=(f"site-{number}", offer.refs[number])) for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [(tmp_path / f"site-{number}").read_bytes() == CONTENT for number in range(12)] == [True] * 12


@pytest.mark.parametrize(
    "header", [{}, {"ref": 1, "bytes": 5}, {"ref": "r", "bytes": True}, {"ref": "", "bytes": 5}]
)
def test_a_header_without_a_parcel_is_refused(header: dict[str, object]) -> None:
    with pytest.raises(FederationError, match="malformed: no ticket"):
        ticket_in(header, 100)


@pytest.mark.parametrize("size", [-1, 0, 101, 10**15])
def test_a_parcel_that_is_empty_or_too_large_is_refused(size: int) -> None:
    with pytest.raises(FederationError, match=f"malformed: {size} bytes, at most 100"):
        ticket_in({"ref": "r", "bytes": size}, 100)


@pytest.mark.parametrize("text", [None, 5, "[" * 100_000, "[]", "x", "1" * 2_000_000])
def test_what_is_not_a_table_is_refused(text: object) -> None:
    with pytest.raises(FederationError, match="malformed: "):
        opened({"header": text})


class Stuck(Cell):
    """A site that offers and then never sends."""

    asked = 0

    def send_request(self, *_: object, abort_signal: Signal, **__: object) -> object:  # type: ignore[override]
        Stuck.asked += 1
        while not abort_signal.triggered:
            time.sleep(0.01)
        raise ConnectionError("aborted")


def test_sites_that_send_nothing_are_left_when_others_wait(offer: Offer, tmp_path: Path) -> None:
    now, answers = [1.0], list[Answer]()
    arrivals = Arrivals(Stuck("server"), tmp_path, lambda: now[0])  # type: ignore[arg-type]
    for number in range(AT_A_TIME):
        arrivals.expect(f"stuck-{number}", Ticket("r", 5), answers.append)
    while Stuck.asked < AT_A_TIME:  # until all threads are taken
        time.sleep(0.01)
    now[0] += HOLD_S + 1
    arrivals.hurry()
    time.sleep(0.1)
    assert answers == []  # nobody waits: they may go on
    arrivals.expect("other", Ticket("r", 5), answers.append)
    arrivals.hurry()
    end = time.monotonic() + 10
    while len(answers) < AT_A_TIME and time.monotonic() < end:
        time.sleep(0.01)
    assert {answer.failure for answer in answers} == {"too_slow"}
    assert len(answers) == AT_A_TIME
    arrivals.close()


def test_an_answer_that_arrived_leaves_no_file(offer: Offer, tmp_path: Path) -> None:
    folder, answers = tmp_path / "in", list[Answer]()
    folder.mkdir()
    arrivals = Arrivals(Cell("server"), folder)  # type: ignore[arg-type]
    arrivals.expect("alpha", Ticket(offer.ref, offer.size), answers.append)
    end = time.monotonic() + 10
    while not answers and time.monotonic() < end:
        time.sleep(0.01)
    arrivals.close()
    assert [(answer.site, bytes(answer.data)) for answer in answers] == [("alpha", CONTENT)]
    assert list(folder.iterdir()) == []


def test_an_array_by_reference_is_not_fetched() -> None:
    from nvflare.app_common.decomposers.numpy_decomposers import NumpyArrayDecomposer

    refuse_references()
    with pytest.raises(FederationError, match="an array by reference; refused"):
        NumpyArrayDecomposer().process_datum(None, None)


def test_a_piece_that_was_sent_is_not_kept_by_a_circle_of_references() -> None:
    let_go_of_what_was_sent()
    cell = SimpleNamespace(fire_and_forget=lambda *_, **__: {})
    gc.disable()  # it breaks circles, but only when many objects are in some, however large
    try:
        piece = BlobStream(CONTENT, {})
        sender = TxTask(
            cell, chunk_size=1000, channel="", topic="", target="server", headers={}, stream=piece,
            reliable=False, secure=False, optional=False,
        )  # fmt: skip
        sender.send_loop()
        future, kept = sender.stream_future, weakref.ref(piece)
        del sender, piece
        assert future.result(0) == len(CONTENT)
        assert kept() is None
    finally:
        gc.enable()
