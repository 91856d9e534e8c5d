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
        self._open: list[tuple[threading.Thread, socket.socket, socket.socket]] = []
        self._listening = threading.Thread(target=self._accept, daemon=True)
        self._listening.start()

    def _accept(self) -> None:
        with self._listener:
            while True:
                try:
                    theirs, _ = self._listener.accept()
                except OSError:
                    return  # shut down
                try:
                    ours = socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    theirs.close()
                    continue
                carrying = threading.Thread(target=self._carry, args=(theirs, ours), daemon=True)
                self._open.append((carrying, theirs, ours))
                carrying.start()

    def _carry(self, theirs: socket.socket, ours: socket.socket) -> None:
        with theirs, ours:
            back = threading.Thread(target=self._pass_on, args=(ours, theirs), daemon=True)
            back.start()
            self._pass_on(theirs, ours)
            back.join()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                with self._guard:
                    self.bytes += len(data)
                other.sendall(data)
        _shut(one, other)

    def close(self) -> None:
        """Ends what is open; no socket and no thread of it is left."""
        _shut(self._listener)  # a mere `close` would leave `accept` waiting
        self._listening.join()
        for carrying, theirs, ours in self._open:
            _shut(theirs, ours)
            carrying.join()


def _shut(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
