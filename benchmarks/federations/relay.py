"""Counts the bytes between sites and aggregator: it stands between them and passes everything on."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Relay:
    """Owns a listening socket; connections that come in go on to `port` of this machine."""

    def __init__(self, port: int) -> None:
        self._listener, self._to, self.bytes = socket.create_server(("127.0.0.1", 0)), port, 0
        self.port = int(self._listener.getsockname()[1])
        self._guard = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                theirs, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                ours = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                theirs.close()
                continue
            for one, other in ((theirs, ours), (ours, theirs)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                with self._guard:
                    self.bytes += len(data)
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
