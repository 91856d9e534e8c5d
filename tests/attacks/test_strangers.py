"""Strangers at a port: half-open connections, slow and endless requests, garbage; the owner is served."""

from __future__ import annotations

import http.client
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

pytest.importorskip("uvicorn")

from fastapi import Response

from cryofed.web.server import guarded, new_app, open_port, server

GARBAGE = (
    b"\0" * 4000,
    b"\xff\xfe" * 2000,
    b"GET " + b"/" * 100_000,
    b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000,
    b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\nx",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    b"GET / HTTP/9.9\r\nHost: \r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4" * 100,
    b"\x16\x03\x01\x02\x00" + b"\x01" * 500,  # a TLS client
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
)
HALF_OPEN = 300


@contextmanager
def page() -> Iterator[tuple[int, str]]:
    """A page behind the gate, as `review` and `monitor` serve theirs: its port and token."""
    app = new_app("monitor.html")

    @app.get("/alive")
    def alive() -> Response:
        return Response("yes")

    opening = open_port()
    running = server(guarded(app, opening))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [opening.listener]})
    thread.start()
    try:
        while not running.started:
            time.sleep(0.01)
        yield opening.port, opening.token
    finally:
        running.should_exit = True
        thread.join(60)
        opening.listener.close()
    assert not thread.is_alive()


def asked(port: int, path: str, cookie: str = "") -> tuple[int, str, str]:
    """Status, body and cookie of a request by the person who started the page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body, (answer.getheader("set-cookie") or "").split(";")[0]


def test_three_hundred_strangers_do_not_keep_the_owner_out() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2 * HALF_OPEN + 200:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    with page() as (port, token), ExitStack() as open_:
        for number in range(HALF_OPEN):
            stranger = open_.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            if number % 3:  # the others say nothing at all
                stranger.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        _, _, cookie = asked(port, f"/?token={token}")
        assert asked(port, "/alive", cookie)[:2] == (200, "yes")
        assert asked(port, "/alive")[0] == 403


@pytest.mark.parametrize("number", range(len(GARBAGE)))
def test_garbage_ends_its_own_connection_and_no_other(number: int) -> None:
    with page() as (port, token):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as stranger:
            stranger.settimeout(1.0)
            try:
                stranger.sendall(GARBAGE[number])
                told = stranger.recv(4000)
            except (OSError, TimeoutError):
                told = b""
        assert b"Traceback" not in told
        assert not told.startswith(b"HTTP/1.1 200")
        _, _, cookie = asked(port, f"/?token={token}")
        assert asked(port, "/alive", cookie)[:2] == (200, "yes")
