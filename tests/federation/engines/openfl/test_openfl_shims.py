"""OpenFL's faults, each shown, and our remedy for each."""

from __future__ import annotations

import inspect
import socket
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("openfl", reason="the extra cryofed[openfl] is not installed: pip install '.[openfl]'")

from openfl.interface.aggregation_functions import WeightedAverage
from openfl.pipelines import NoCompressionPipeline
from openfl.transport.grpc import aggregator_client, aggregator_server
from tests.federation.engines.openfl.served import Served, answer, array, fetched, send

from cryofed.federation.engines.openfl import calls, inside, words
from cryofed.federation.engines.openfl.calls import RefusedError, UnreachableError
from cryofed.federation.engines.openfl.desk import Desk

EVERY_BYTE = bytes(range(256)) * 5


def new_aggregator(first: int = 1) -> Any:
    return inside.make_aggregator(
        ["alpha", "beta"], uuid="aggregator", federation="toys", tasks=words.TASKS, first=first
    )


def asked(aggregator: Any) -> None:
    aggregator.assigner.asked[aggregator.round_number] = frozenset(["alpha", "beta"])


# 1 and 8: the pipeline fails with NumPy 2.4, and makes float32 of everything.
def test_the_pipeline_works_with_todays_numpy_and_changes_no_byte() -> None:
    stock = NoCompressionPipeline()
    counted = np.array([2**24 + 1], np.int64)
    data, metadata = stock.forward(counted)
    assert np.frombuffer(data, np.float32)[0] == 2**24  # one was lost
    if "newshape" not in inspect.signature(np.reshape).parameters:
        with pytest.raises(TypeError, match="newshape"):
            stock.backward(data, metadata)
    ours = inside.FlatBytes()
    data, metadata = ours.forward(array(EVERY_BYTE))
    assert data == EVERY_BYTE
    assert ours.backward(data, metadata).tobytes() == EVERY_BYTE


# 2: a site without work is sent away for 10 s.
def test_work_that_comes_is_handed_out_at_once(served: Served) -> None:
    assert new_aggregator().get_tasks("alpha")[2] == 10
    client = served.client("alpha")
    began = time.monotonic()
    tasks, _, pause, over = client.get_tasks()
    assert (list(tasks), pause, over) == ([], 0, False)
    assert time.monotonic() - began >= words.HOLD_S
    later = threading.Timer(0.5, served.carrier.ask, (b"order", ["alpha"]))
    later.start()
    began = time.monotonic()
    tasks, number, _, _ = client.get_tasks()
    took = time.monotonic() - began
    later.join()
    if not tasks:  # the busy machine was late to lay the order down
        tasks, number, _, _ = client.get_tasks()
    assert [task.name for task in tasks] == [words.READ, words.WORK]
    assert took <= words.HOLD_S + 5
    assert fetched(client, number) == b"order"


# 3: the server listens on every address there is.
def test_the_server_listens_where_it_is_told_to(served: Served) -> None:
    assert aggregator_server.AggregatorGRPCServer(new_aggregator(), 1).uri == "[::]:1"
    with socket.create_connection(("127.0.0.1", served.port), 5):
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("::1", served.port), 5)


def test_a_port_that_is_taken_is_refused_in_one_line(served: Served) -> None:
    from cryofed.errors import FederationError

    other = served.new_link()
    with pytest.raises(FederationError, match=f"cannot listen on port {served.port}; set network.port"):
        other.open("127.0.0.1", served.port)


# 4: the server ends when every site has heard of it, a killed one too.
def test_the_server_ends_though_a_site_was_killed(served: Served) -> None:
    assert "while not self.aggregator.all_quit_jobs_sent()" in inspect.getsource(
        aggregator_server.AggregatorGRPCServer.serve
    )
    alive, killed = served.client("alpha"), served.client("beta")
    killed.beat()
    heard: list[bool] = []

    def ask() -> None:
        while not heard or not heard[-1]:
            heard.append(bool(alive.get_tasks()[3]))

    thread = threading.Thread(target=ask)
    thread.start()
    while len(heard) < 1:
        time.sleep(0.05)
    began = time.monotonic()
    served.link.close()
    assert time.monotonic() - began < 30
    thread.join(30)
    assert heard[-1]  # who asked was told, and the other one was not waited for


# 5: the client tries any failure again for ever, a refusal too.
def test_a_call_ends_where_nobody_answers(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "while True" in inspect.getsource(aggregator_client._resend_data_on_reconnection)
    client = served.client("alpha")
    served.link.close()
    monkeypatch.setattr(calls, "RETRY_S", 1.0)
    with pytest.raises(UnreachableError, match="unavailable"):
        client.get_tasks()
    with pytest.raises(UnreachableError, match="unavailable"):
        send(client, 1, answer(1, b"x"))


def test_a_refusal_ends_at_once(served: Served) -> None:
    with pytest.raises(RefusedError, match="this is federation toys"):
        served.client("alpha", federation="other").get_tasks()


# 6: one list of callbacks for all aggregators of a process.
def test_aggregators_share_no_callbacks() -> None:
    default = inspect.signature(inside.Aggregator.__init__).parameters["callbacks"].default
    assert default == []  # mutable, and appended to
    assert [len(new_aggregator().callbacks.callbacks) for _ in range(2)] == [1, 1]


# 7: functions that average are one object for a whole process, and one odd answer hangs the round.
def test_openfl_averages_nothing() -> None:
    assert WeightedAverage() is WeightedAverage()
    aggregator = new_aggregator()
    asked(aggregator)
    for name, data in (("alpha", b"short"), ("beta", b"much longer")):
        aggregator.send_local_task_results(name, 1, words.READ, 0, [])
        aggregator.send_local_task_results(name, 1, words.WORK, 0, [answer(1, data)])  # no example at all
    assert aggregator.round_number == 1  # nothing ends it but the rounds
    inside.end_round(aggregator)
    assert aggregator.round_number == 2
    assert len(aggregator.tensor_db.tensor_db) == 0


def test_a_round_in_which_nobody_answered_is_cut_off() -> None:
    aggregator = new_aggregator()
    asked(aggregator)
    assert aggregator.get_tasks("alpha")[0] == [words.READ, words.WORK]
    inside.end_round(aggregator)
    assert (aggregator.round_number, aggregator.get_tasks("alpha")[0]) == (2, None)


# A question for a tensor that is gone is held for a minute in a thread of the server's eight.
def test_what_was_taken_back_is_answered_empty_at_once(served: Served) -> None:
    assert "> 60" in inspect.getsource(inside.Aggregator.get_aggregated_tensor)
    client = served.client("alpha")
    served.carrier.ask(b"order", ["alpha"])
    number = client.get_tasks()[1]
    served.carrier.dismiss()
    began = time.monotonic()
    gone = client.get_aggregated_tensor(words.piece_name(0), number, False, ["model"], True)
    assert gone.data_bytes == b""
    assert time.monotonic() - began < 30
    assert words.unpack_head(gone.data_bytes) is None


# A site finds an order of the same number in its own database, and works on the old one.
def test_no_number_of_a_round_is_used_twice(tmp_path: Path) -> None:
    first = Desk(tmp_path / "transfer", "toys", tmp_path / "order-number")
    first.lay_down(b"one", "plan", ["alpha"], 60.0)
    again = Desk(tmp_path / "transfer", "toys", tmp_path / "order-number")  # killed, and started again
    assert (first.number, again.number) == (1, 2)


def test_a_site_forgets_an_order_when_its_round_ends() -> None:
    class Once:
        """Stands for the aggregator: one round, and it is over."""

        rounds = 1

        def get_tasks(self) -> Any:
            self.rounds -= 1
            return ([words.READ] if self.rounds == 0 else None), 7, 0, self.rounds < 0

        def get_aggregated_tensor(self, name: str, number: int, *_: Any) -> Any:
            return inside.named_tensor(name, number, b"{}", "model")

        def send_local_task_results(self, *_: Any) -> None:
            """Taken."""

    class Reads(inside.TaskRunner):  # type: ignore[misc]  # untyped
        def get_required_tensorkeys_for_function(self, *_: Any, **__: Any) -> Any:
            return [inside.TensorKey(words.HEAD, "GLOBAL", 0, False, ("model",))]

        def read(self, **_: Any) -> Any:
            return {}, {}

    def held(callbacks: list[Any]) -> int:
        site = inside.Collaborator(
            "alpha", "aggregator", "toys", Once(), Reads(None), words.TASKS,
            compression_pipeline=inside.FlatBytes(), callbacks=callbacks,
        )  # fmt: skip
        site.run()
        return len(site.tensor_db.tensor_db)

    assert held([]) > 0
    assert held([inside.Forgetful()]) == 0


# Unless it is told not to, the aggregator keeps a database of pickles in the folder that it runs in.
def test_no_file_is_written_but_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    aggregator = new_aggregator()
    asked(aggregator)
    inside.end_round(aggregator)
    assert list(tmp_path.iterdir()) == []
