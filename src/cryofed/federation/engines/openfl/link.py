"""The aggregator's server: gRPC over mutual TLS, with a loop of its own that ends."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cryofed.errors import FederationError
from cryofed.federation.engines.openfl import inside, words
from cryofed.federation.engines.openfl.desk import Desk
from cryofed.federation.engines.openfl.door import Door
from cryofed.federation.engines.openfl.service import Service
from cryofed.trust.identity import Identity

THREADS = 128  # a question that is held takes one; OpenFL's own server has 8
GRACE_S = 2.0  # how long the end waits for those that are still to hear of it
_OPTIONS = (
    ("grpc.so_reuseport", 0),  # else a second server could take the same port
    ("grpc.max_receive_message_length", words.LARGEST_MESSAGE),
    ("grpc.max_send_message_length", words.LARGEST_MESSAGE),
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.max_concurrent_streams", 16),  # of one connection
    ("grpc.http2.bdp_probe", 0),  # else gRPC reads ahead as much as the line carries, of every site
    ("grpc.http2.lookahead_bytes", words.PIECE),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),  # sites ask whether the connection stands
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
)


class Link:
    """Owns the server, and what it serves: a desk behind a door."""

    def __init__(
        self,
        folder: Path,
        identity: Identity,
        registry: Path,
        refusals: Path,
        federation: str,
        *,
        fx: Path | None = None,
    ) -> None:
        """Make it ready; `open` opens it.

        Args:
            folder: of orders and answers on their way; emptied.
            identity: of the aggregator.
            registry: who is approved.
            refusals: where refusals are written down.
            federation: its name.
            fx: the plan for sites that run OpenFL's own program.
        """
        self._aliases = [] if fx is None else [inside.names_in(fx)]
        self.desk = Desk(folder, federation, folder.with_name("order-number"))
        self.door = Door(registry, refusals)
        self._identity = identity
        self._server: Any = None

    def open(self, host: str, port: int) -> int:
        """Serve; the port, which the system chooses for 0.

        Raises:
            FederationError: it cannot listen there.
        """
        own = self._identity
        credentials = inside.grpc.ssl_server_credentials(
            [(own.key.read_bytes(), own.certificate.read_bytes())], own.authority.read_bytes(), True
        )
        threads = ThreadPoolExecutor(THREADS, thread_name_prefix="openfl")
        server = inside.grpc.server(threads, options=_OPTIONS, maximum_concurrent_rpcs=THREADS)
        inside.aggregator_pb2_grpc.add_AggregatorServicer_to_server(
            Service(self.desk, self.door, self._aliases), server
        )
        try:
            bound = server.add_secure_port(f"{host}:{port}", credentials)
        except RuntimeError:
            bound = 0
        if not bound:
            raise FederationError(
                f"the aggregator cannot listen on port {port}; set network.port in the plan"
            )
        server.start()
        self._server = server
        return int(bound)

    @property
    def serves(self) -> bool:
        """Whether it is open."""
        return self._server is not None

    def close(self, grace_s: float = GRACE_S) -> None:
        """Tell who asks that it is over, for a moment, and serve no more.

        OpenFL's own server waits until every site has asked: one that was killed keeps it for ever.
        """
        server, self._server = self._server, None
        if server is None:
            return
        self.desk.dismiss_all()
        end = time.monotonic() + grace_s
        while not self.desk.was_told(self.door.present()) and time.monotonic() < end:
            time.sleep(0.05)
        server.stop(0.2).wait()
        self.desk.clear()
