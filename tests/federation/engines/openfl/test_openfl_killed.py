"""A site that dies in each phase of an order, and an aggregator that does: the other one goes on.

A process that is killed is a connection that breaks off: here it is broken off at the very call.
`tests/federation/engines/remote` kills real processes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("openfl", reason="the extra cryofed[openfl] is not installed: pip install '.[openfl]'")

from tests.federation.engines.openfl.served import Served, answer, fetched, send

from cryofed.federation.engines.openfl import inside, words
from cryofed.federation.engines.openfl.calls import Client
from cryofed.federation.engines.openfl.carrier import OpenFLCarrier

ORDER = bytes(range(256)) * 20_000  # 5 MB: two pieces


def waits(client: Client, number: int) -> None:
    """It has asked for work, and done nothing yet."""
    client.get_tasks()


def reads(client: Client, number: int) -> None:
    """It knows the head."""
    send(client, number, task=words.READ)


def fetches(client: Client, number: int) -> None:
    """It has one of two pieces."""
    reads(client, number)
    client.get_aggregated_tensor(words.piece_name(0), number, False, ["model"], True)


def works(client: Client, number: int) -> None:
    """Its learner has the order."""
    reads(client, number)
    assert fetched(client, number) == ORDER


def sends(client: Client, number: int) -> None:
    """One of the messages of its answer is there."""
    works(client, number)
    sent = threading.Event()

    def chunks() -> Iterator[Any]:
        yield inside.base_pb2.DataStream(npbytes=bytes(100_000), size=100_000)
        sent.set()
        time.sleep(1.0)  # the connection is gone meanwhile

    call = client.stub.SendLocalTaskResults.future(chunks())
    assert sent.wait(60)
    call.cancel()


PHASES: list[Callable[[Client, int], None]] = [waits, reads, fetches, works, sends]


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.__name__)
def test_a_site_that_dies_comes_back_and_does_its_order(
    served: Served, phase: Callable[[Client, int], None]
) -> None:
    first = served.client("alpha")
    served.carrier.ask(ORDER, ["alpha"])
    number = served.link.desk.number
    phase(first, number)
    first.channel.close()
    second = served.client("alpha")
    tasks, again, _, _ = second.get_tasks()
    assert again == number
    assert [task.name for task in tasks][-1] == words.WORK
    assert fetched(second, number) == ORDER
    until(lambda: not served.link.desk.folder.joinpath("answer-1").exists())  # what was half sent is gone
    send(second, number, answer(number, b"done"))
    found = served.carrier.answer(60.0)
    assert found is not None
    assert (found.site, bytes(found.data), found.failure) == ("alpha", b"done", "")
    served.carrier.dismiss()
    assert list(served.link.desk.folder.iterdir()) == []


@pytest.mark.parametrize("phase", PHASES[:4], ids=lambda phase: phase.__name__)
def test_a_site_goes_on_with_an_aggregator_that_was_started_again(
    served: Served, phase: Callable[[Client, int], None]
) -> None:
    client = served.client("alpha")
    served.carrier.ask(ORDER, ["alpha"])
    number = served.link.desk.number
    phase(client, number)
    served.link.close(0.0)
    served.link = served.new_link()
    assert served.link.open("127.0.0.1", served.port) == served.port
    served.carrier = OpenFLCarrier(served.link, "the plan", 1, ["alpha"], deadline_s=60.0, wait_s=0.0)
    send(client, number, answer(number, b"of the order before"))  # tried until it is there, and dropped
    served.carrier.ask(ORDER, ["alpha"])
    _, other, _, _ = client.get_tasks()
    assert other > number
    assert fetched(client, other) == ORDER
    send(client, other, answer(other, b"done"))
    found = served.carrier.answer(60.0)
    assert found is not None
    assert (found.site, bytes(found.data)) == ("alpha", b"done")


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)
