"""The table of engines, and the relay that counts their bytes."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading

import pytest
from benchmarks.engines import table
from benchmarks.federations.carrying import LARGE, SMALL
from benchmarks.federations.relay import Relay


def test_an_engine_is_a_column_and_what_is_missing_is_a_dash() -> None:
    figures = {
        ("seconds", 3, SMALL): 0.256,
        ("aggregator", 9, LARGE): 204.6,
        ("bytes", 3, SMALL): 3_204_000.0,
    }
    lines = table({"one": figures, "two": {}}).splitlines()
    assert lines[0] == "| | `one` | `two` |"
    told = {line.split("|")[1].strip(): line.split("|")[2:4] for line in lines[2:]}
    assert told["seconds of a round, 3 sites, 0.4 M numbers (1.6 MB)"] == [" 0.26 ", " – "]
    assert told["MiB at the aggregator at most, 9 sites, 100 MB"] == [" 205 ", " – "]
    assert told["MB on the wire per site and round; two vectors are 3.20"] == [" 3.20 ", " – "]


def test_the_relay_passes_on_both_ways_and_counts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        relay = Relay(server.getsockname()[1])
        with socket.create_connection(("127.0.0.1", relay.port)) as site:
            site.sendall(b"question")
            aggregator, _ = server.accept()
            with aggregator:
                assert aggregator.recv(100) == b"question"
                aggregator.sendall(b"answer")
                assert site.recv(100) == b"answer"
                assert relay.bytes == len(b"question") + len(b"answer")
        relay.close()


def test_a_relay_that_is_closed_leaves_no_thread_and_no_socket(recwarn: pytest.WarningsRecorder) -> None:
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as server:
        relay = Relay(server.getsockname()[1])
        with socket.create_connection(("127.0.0.1", relay.port)) as site:
            site.sendall(b"question")
            server.accept()[0].close()
            relay.close()  # while the site still holds its end
            with contextlib.suppress(ConnectionResetError):
                assert site.recv(100) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", relay.port))
    assert threading.active_count() == before
    del relay
    gc.collect()
    assert not recwarn.list
