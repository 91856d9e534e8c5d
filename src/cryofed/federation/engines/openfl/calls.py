"""What a site calls at the aggregator, over OpenFL's client: calls have a deadline, and so have retries."""

from __future__ import annotations

import threading
import time
from collections import namedtuple
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from cryofed import __version__
from cryofed.errors import FederationError
from cryofed.federation.engines.openfl import inside, words
from cryofed.trust.identity import Identity

RETRY_S = 60.0  # how long a piece is asked for, and an answer sent, where the aggregator is away
PAUSE_S = 0.5  # between two tries
# Seconds that one call may take: a piece at 1 Mbit/s, and an answer of 400 MB at the same; whether the
# connection stands at all is asked besides.
LONGEST_S = MappingProxyType(
    {"GetTasks": words.HOLD_S + 15, "GetAggregatedTensor": 60.0, "SendLocalTaskResults": 3600.0}
)
_OPTIONS = (
    ("grpc.max_receive_message_length", words.LARGEST_MESSAGE),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 200),  # not the least one, which bounds a handshake as well
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
_STATUS = inside.grpc.StatusCode
_REFUSED = (_STATUS.UNAUTHENTICATED, _STATUS.PERMISSION_DENIED, _STATUS.FAILED_PRECONDITION)


class UnreachableError(FederationError):
    """The aggregator does not answer now; a later call may reach it."""


class RefusedError(FederationError):
    """The aggregator does not let us in; its words."""


class SupersededError(RefusedError):
    """Another process of this site has come in since; only the last one stays."""


class StoppedError(FederationError):
    """This site was told to stop."""


class Client(inside.AggregatorGRPCClient):  # type: ignore[misc]  # untyped
    """OpenFL's client. Its own retries any failure for ever, a refusal too; this one's errors are three."""

    def __init__(self, identity: Identity, aim: words.Aim, life: str) -> None:
        """Connect when first called.

        Args:
            identity: of this site.
            aim: where the aggregator is, and who calls.
            life: a word that this process has drawn for itself.
        """
        where = f"[{aim.host}]" if ":" in aim.host else aim.host
        super().__init__(
            where, aim.port, words.AGGREGATOR, aim.federation, aim.site,
            root_certificate=str(identity.authority), certificate=str(identity.certificate),
            private_key=str(identity.key), resend_data_on_reconnection=False,
        )  # fmt: skip
        self._heads = ((words.VERSION, __version__), (words.LIFE, life))
        self._identity = identity
        self.channel.close()  # as OpenFL makes it, it takes messages of a gigabyte and waits for ever
        self.channel: Any = None
        self.renew()
        self._beats: Any = None
        self.stop = threading.Event()
        self.came_in: Callable[[], None] = lambda: None  # called after every answer to the question for work

    def renew(self) -> None:
        """Connect anew: a connection that has failed is tried again by gRPC in its own time."""
        if self.channel is not None:
            self.channel.close()
        self.channel = self._connected()
        self.stub = _stub(self.channel, self._heads)

    def get_tasks(self) -> Any:
        """Ask for work; the aggregator holds the question for a moment where there is none."""
        tasks = self._told(super().get_tasks)
        self.came_in()
        return tasks

    def get_aggregated_tensor(self, *asked: Any, **named: Any) -> Any:
        """Fetch a piece."""
        return self._patiently(lambda: super(Client, self).get_aggregated_tensor(*asked, **named))

    def send_local_task_results(self, *sent: Any, **named: Any) -> Any:
        """Send a result; one that comes too late is dropped there."""
        return self._patiently(lambda: super(Client, self).send_local_task_results(*sent, **named))

    def beat(self) -> int:
        """A sign of life, from a thread of its own; the number of the round that is open."""
        header = inside.aggregator_pb2.MessageHeader(
            sender=self.collaborator_name, receiver=self.aggregator_uuid, federation_uuid=self.federation_uuid
        )
        asked = inside.aggregator_pb2.GetTasksRequest(header=header)
        # A connection of its own: gRPC crashes where one thread closes what another one uses.
        if self._beats is None:
            self._beats = _stub(self._connected(), (*self._heads, (words.BEAT, "1")))
        try:
            return int(self._told(lambda: self._beats.GetTasks(asked)).round_number)
        except UnreachableError:
            self._beats = None
            raise

    def _connected(self) -> Any:
        own = self._identity
        credentials = inside.grpc.ssl_channel_credentials(
            own.authority.read_bytes(), own.key.read_bytes(), own.certificate.read_bytes()
        )
        return inside.grpc.secure_channel(self.uri, credentials, options=_OPTIONS)

    def _patiently(self, call: Callable[[], Any]) -> Any:
        end = time.monotonic() + RETRY_S
        while True:
            try:
                return self._told(call)
            except UnreachableError:
                if time.monotonic() > end:
                    raise
            self.stop.wait(PAUSE_S)
            self.renew()

    def _told(self, call: Callable[[], Any]) -> Any:
        if self.stop.is_set():
            raise StoppedError("told to stop")
        try:
            return call()
        except inside.grpc.RpcError as error:
            words_of_peer = words.printable(str(error.details()))
            if error.code() == _STATUS.ALREADY_EXISTS:
                raise SupersededError(words_of_peer) from None
            if error.code() in _REFUSED:
                raise RefusedError(words_of_peer) from None
            raise UnreachableError(f"{error.code().name.lower()}: {words_of_peer}") from None
        except AssertionError:  # OpenFL's look at the answer's header
            raise FederationError("the answer is not of this federation's aggregator") from None


class _Details(
    namedtuple("_Details", "method timeout metadata credentials wait_for_ready compression"),
    inside.grpc.ClientCallDetails,  # type: ignore[misc]  # untyped
):
    """How gRPC wants to be told of a call."""


class _Heads(
    inside.grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]  # untyped
    inside.grpc.StreamUnaryClientInterceptor,  # type: ignore[misc]  # untyped
):
    """Gives every call its deadline and its heads, which OpenFL's client does not."""

    def __init__(self, heads: tuple[tuple[str, str], ...]) -> None:
        self._heads = heads

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """A message."""
        return continuation(self._complete(details), request)

    def intercept_stream_unary(self, continuation: Any, details: Any, request_iterator: Any) -> Any:
        """A stream."""
        return continuation(self._complete(details), request_iterator)

    def _complete(self, details: Any) -> _Details:
        seconds = LONGEST_S.get(details.method.rpartition("/")[2], 15.0)
        return _Details(details.method, seconds, self._heads, details.credentials, False, None)


def _stub(channel: Any, heads: tuple[tuple[str, str], ...]) -> Any:
    return inside.aggregator_pb2_grpc.AggregatorStub(inside.grpc.intercept_channel(channel, _Heads(heads)))
