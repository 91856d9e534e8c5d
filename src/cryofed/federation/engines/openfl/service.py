"""OpenFL's interface as our aggregator serves it: each call is judged before OpenFL's own code sees it.

Who may not call is refused. What is wrong in a result is taken and told to the rounds as a code; it never
reaches OpenFL's aggregator, which would hang on it. Stock programs send again for ever what is refused.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from cryofed.federation.engines.openfl import inside, words
from cryofed.federation.engines.openfl.desk import Desk
from cryofed.federation.engines.openfl.door import Caller, Door, DoorError, SupersededError

CALLS = 6  # that one site may have open at a time
BREAK_S = 0.5  # how much later than a stream's end it may be heard that its sender is gone
_STATUS = inside.grpc.StatusCode


@dataclass(frozen=True, slots=True)
class Result:
    """What a site says of a task; its bytes, where there are any, are in a file."""

    header: Any  # as the site wrote it
    number: int
    task: str
    failure: str = ""


class Service(inside.AggregatorGRPCServer):  # type: ignore[misc]  # untyped
    """Fills OpenFL's interface; its threads are the server's."""

    def __init__(self, desk: Desk, door: Door, aliases: Collection[tuple[str, str]] = ()) -> None:
        """Serve a desk behind a door; `aliases`: what `fx` calls federation and aggregator."""
        super().__init__(desk.aggregator, 0)
        self.desk, self.door = desk, door
        self._names = {(desk.federation, words.AGGREGATOR), *aliases}
        self._calls: Counter[str] = Counter()
        self._guard, self._one_parse = threading.Lock(), threading.Lock()

    def validate_collaborator(self, request: Any, context: Any) -> None:
        """Done by `_call`; OpenFL's own compares names alone, and sleeps in the server's thread."""

    def check_request(self, request: Any) -> None:
        """Done by `_call`; OpenFL's own checks are `assert`s, which Python leaves out where it is told to."""

    def Ping(self, request: Any, context: Any) -> Any:  # noqa: N802  # OpenFL's name
        """A sign of life."""
        with self._call(context, request.header):
            return self._to(request.header, super().Ping(request, context))

    def GetTasks(self, request: Any, context: Any) -> Any:  # noqa: N802  # OpenFL's name
        """Held where there is no work: OpenFL's own sends a site away for 10 s."""
        with self._call(context, request.header) as site:
            if words.BEAT not in dict(context.invocation_metadata()):
                self.desk.hold(site, words.HOLD_S, context.is_active)
            with self.desk.guard:
                tasks = super().GetTasks(request, context)
            tasks.sleep_time = 0
            return self._to(request.header, tasks)

    def GetAggregatedTensor(self, request: Any, context: Any) -> Any:  # noqa: N802  # OpenFL's name
        """A piece of the open order; empty where that is gone, for which OpenFL's own waits a minute."""
        with self._call(context, request.header) as site, self.desk.guard:
            if self.desk.serves(site, request.round_number, request.tensor_name, tuple(request.tags)):
                return self._to(request.header, super().GetAggregatedTensor(request, context))
            empty = inside.aggregator_pb2.GetAggregatedTensorResponse(
                round_number=request.round_number,
                tensor=inside.named_tensor(request.tensor_name[:40], request.round_number, b"", "model"),
            )
            return self._to(request.header, empty)

    def SendLocalTaskResults(self, request: Any, context: Any) -> Any:  # noqa: N802  # OpenFL's name
        """A result: onto the disk piece by piece, looked at, and only then told to OpenFL's aggregator."""
        with self._call(context) as site, self._sole(f"{site} sends", 1, context):
            path = self.desk.new_file()
            try:
                result = self._read(site, request, path, context)
                if result.task in words.TASKS and self.desk.awaits(site, result.number, result.task):
                    self._tell(site, result, path, context)
            finally:
                path.unlink(missing_ok=True)
            # Late, twice, or of no task: nobody waits for it.
            return self._to(result.header, inside.aggregator_pb2.SendLocalTaskResultsResponse())

    def InteropRelay(self, request: Any, context: Any) -> Any:  # noqa: N802  # OpenFL's name
        """Not here."""
        context.abort(_STATUS.UNIMPLEMENTED, "not here")

    def _read(self, site: str, chunks: Any, path: Path, context: Any) -> Result:
        """What a stream says. One that is too long, or no result at all, is its site's failed work."""
        broken = Result(self._header(site), self.desk.number, words.WORK, "malformed")
        size = 0
        with path.open("wb") as file:
            for chunk in chunks:
                size += len(chunk.npbytes)
                if size > self.desk.most_bytes:
                    return broken
                file.write(chunk.npbytes)
        with self._one_parse:  # a large answer is in memory once, however many sites send
            results = inside.aggregator_pb2.TaskResults()
            with suppress(inside.DecodeError):
                results.ParseFromString(path.read_bytes())
                self._enter(context, results.header)
                failure = "" if results.task_name != words.WORK else _unpacked(results, path)
                header = inside.aggregator_pb2.MessageHeader()
                header.CopyFrom(results.header)  # a part of a message keeps the whole of it in memory
                return Result(header, results.round_number, results.task_name, failure)
        if _broke_off(context):
            _abort(context, _STATUS.CANCELLED, "its sender is gone")
        return broken

    def _tell(self, site: str, result: Result, path: Path, context: Any) -> None:
        """Have OpenFL's aggregator note the result, of an answer its hash, and the rounds the answer."""
        tensors = []
        if result.task == words.WORK:
            data, receipt = self.desk.taken(path, result.failure)
            tensors = [inside.named_tensor(words.ANSWER, result.number, receipt, "trained")]
        small = inside.aggregator_pb2.TaskResults(
            header=self._header(site), round_number=result.number, task_name=result.task,
            data_size=1, tensors=tensors,
        ).SerializeToString()  # fmt: skip
        chunk = inside.base_pb2.DataStream(npbytes=small, size=len(small))
        with self.desk.guard:
            if self.desk.awaits(site, result.number, result.task):
                super().SendLocalTaskResults(iter([chunk]), context)
                if result.task == words.WORK:
                    self.desk.put(site, data, result.failure)

    @contextmanager
    def _call(self, context: Any, header: Any = None) -> Iterator[str]:
        """One call of an approved site, whose name this gives."""
        site = self._enter(context, header)
        with self._sole(site, CALLS, context):
            yield site

    @contextmanager
    def _sole(self, call: str, most: int, context: Any) -> Iterator[None]:
        with self._guard:
            self._calls[call] += 1
            many = self._calls[call] > most
        try:
            if many:
                context.abort(_STATUS.RESOURCE_EXHAUSTED, "too many calls at a time")
            yield
        finally:
            with self._guard:
                self._calls[call] -= 1

    def _enter(self, context: Any, header: Any = None) -> str:
        heads = dict(context.invocation_metadata())
        caller = Caller(
            certificate=context.auth_context().get("x509_pem_cert", [b""])[0],
            sender=None if header is None else header.sender,
            version=heads.get(words.VERSION, ""),
            life=heads.get(words.LIFE, "")[:64],
        )
        try:
            site = self.door.enter(caller)
        except SupersededError as error:
            _abort(context, _STATUS.ALREADY_EXISTS, str(error))
        except DoorError as error:
            _abort(context, _STATUS.UNAUTHENTICATED, str(error))
        if header is not None and (header.federation_uuid, header.receiver) not in self._names:
            _abort(context, _STATUS.FAILED_PRECONDITION, f"this is federation {self.desk.federation}")
        return site

    def _header(self, site: str) -> Any:
        """Of a message of this site's, as our own aggregator wants it."""
        return inside.aggregator_pb2.MessageHeader(
            sender=site, receiver=words.AGGREGATOR, federation_uuid=self.desk.federation
        )

    @staticmethod
    def _to(header: Any, reply: Any) -> Any:
        """A reply by the names under which it was asked for."""
        reply.header.CopyFrom(header)
        reply.header.sender, reply.header.receiver = header.receiver, header.sender
        return reply


def _unpacked(results: Any, path: Path) -> str:
    """Put the bytes of an answer into its file; the code of a failure, where it is one.

    It has exactly one tensor, called as we call it, which says its own length.
    """
    if len(results.tensors) != 1:
        return "malformed"
    (tensor,) = results.tensors
    data = tensor.data_bytes  # once: each look is a copy
    lengths = [list(one.int_list) for one in tensor.transformer_metadata]
    if tensor.report or set(tensor.tags) != {"trained", "compressed"} or not data:
        return "malformed"
    if lengths != [[len(data)]] or tensor.round_number != results.round_number:
        return "malformed"
    if tensor.name == words.FAILURE:
        return words.failure_in(data)
    if tensor.name != words.ANSWER:
        return "malformed"
    path.write_bytes(data)
    return ""


def _broke_off(context: Any) -> bool:
    """Whether a stream ended with its sender: gRPC may end the stream first and say so a moment later."""
    end = time.monotonic() + BREAK_S
    while context.is_active() and time.monotonic() < end:
        time.sleep(0.02)
    return not context.is_active()


def _abort(context: Any, status: Any, reason: str) -> NoReturn:
    context.abort(status, reason)
    raise AssertionError  # abort has raised
