"""FLARE under the contract: carrier, executor and learner's process, without the network between them."""

from __future__ import annotations

import atexit
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import FLContextKey, ReservedKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.signal import Signal
from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey
from nvflare.fuel.f3.message import Message
from nvflare.fuel.utils import fobs
from tests.contract import toy
from tests.contract.harness import Outcome
from tests.contract.toy_learner import set_toys

from cryofed.disk.lines import read_lines
from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.engines.flare.aggregator.carrier import FlareCarrier
from cryofed.federation.engines.flare.pings import new_secret, secret_of
from cryofed.federation.engines.flare.site.executor import SiteExecutor

ROOT = Path(__file__).parents[2]
SECRET = new_secret()  # of the one segment


class Cell:
    """Stands for a process's place in FLARE's network: requests reach the other cells by a plain call."""

    cells: ClassVar[dict[str, Cell]] = {}

    def __init__(self, name: str) -> None:
        self.name = name
        self.callbacks: dict[tuple[str, str], Any] = {}
        self.cells[self.get_fqcn()] = self

    def get_fqcn(self) -> str:
        return f"{self.name}.segment"

    def register_request_cb(self, channel: str, topic: str, cb: Any) -> None:
        self.callbacks[channel, topic] = cb

    def send_request(self, channel: str, topic: str, target: str, request: Message, **_: Any) -> Message:
        request.add_headers({MessageHeaderKey.ORIGIN: self.get_fqcn()})
        reply = self.cells[target].callbacks[channel, topic](request)
        assert isinstance(reply, Message)
        return reply

    def fire_and_forget(self, channel: str, topic: str, targets: str, message: Message, **_: Any) -> None:
        self.send_request(channel, topic, targets, message)


class Wire:
    """Stands for FLARE's engine and communicator: hands tasks to executors through FLARE's serializer."""

    def __init__(self, executors: dict[str, SiteExecutor], handlers: dict[str, dict[str, Any]]) -> None:
        self._engine = self
        self.executors, self.handlers = executors, handlers
        self.cancelled: list[object] = []
        self.cell = Cell("server")
        self.sites: Sequence[str] = ()

    def get_clients(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in self.sites]

    @contextmanager
    def new_context(self) -> Iterator[FLContext]:
        yield FLContext()

    def get_cell(self) -> Cell:
        return self.cell

    def send_aux_request(self, targets: list[str], topic: str, request: Any, **_: Any) -> dict[str, Any]:
        return {name: self.handlers[name][topic](topic, request, FLContext()) for name in targets}

    def broadcast(self, task: Any, _: FLContext, targets: list[str], min_responses: int) -> None:
        sent = fobs.dumps(task.data)

        def work(name: str) -> None:
            context = self._context_of(name)
            result = self.executors[name].execute(task.name, fobs.loads(sent), context, Signal())
            done = SimpleNamespace(client=SimpleNamespace(name=name), result=result, task=task)
            if task not in self.cancelled:
                done.result = fobs.loads(fobs.dumps(result))
                task.result_received_cb(done, FLContext())

        for name in targets:
            threading.Thread(target=work, args=(name,), daemon=True).start()

    def _context_of(self, name: str) -> FLContext:
        """A site's own, in which it reaches its cell."""
        context = FLContext()
        cell = Cell.cells.get(f"{name}.segment") or Cell(name)
        engine = SimpleNamespace(get_cell=lambda: cell, fire_event=_unheard)
        context.set_prop(ReservedKey.ENGINE, engine, private=True)
        return context

    def cancel_task(self, task: object, _: object) -> None:
        self.cancelled.append(task)


class FlareInProcess:
    """The sites' learners are real processes and live as long as the tests, since each imports torch."""

    name = "flare-in-process"
    survives = frozenset(toy.FAULTS)
    kills = False  # the aggregator's process is FLARE's; tests/federation/engines/flare kill the real one

    def __init__(self) -> None:
        self.wire: Wire | None = None
        self.home = Path()

    def run(self, plan: Plan, folder: Path, behaviours: dict[str, str]) -> Outcome:
        """Rounds with these toys."""
        with learner_of("tests.contract.toy_learner"):
            return self._run(plan, folder, behaviours)

    def _run(self, plan: Plan, folder: Path, behaviours: dict[str, str]) -> Outcome:
        wire = self.wire or self._start(sorted(behaviours))
        set_toys(self.home, behaviours)
        wire.sites = sorted(behaviours)
        self._settle(wire)
        folder.mkdir(parents=True, exist_ok=True)
        with open_rounds(folder, plan, toy.LAYOUT, toy.START) as rounds:
            with closing(carrier_of(wire, folder, plan)) as carrier:
                run_rounds(rounds, carrier)
            # A dismissed learner is started again by its executor's thread: while `learner_of` still holds.
            self._settle(wire)
            return Outcome(rounds.vector, read_lines(folder / "rounds.jsonl"))

    def _settle(self, wire: Wire) -> None:
        """Wait until every site has ended its order and has a warm learner."""
        for executor in wire.executors.values():
            with executor._turn:
                assert executor._running_learner().ready.wait(60)

    def run_killed(self, plan: Plan, folder: Path, behaviours: dict[str, str], event: int) -> None:
        """Not here."""
        raise NotImplementedError

    def _start(self, names: list[str]) -> Wire:
        keeper = tempfile.TemporaryDirectory(prefix="cryofed-contract-")
        atexit.register(keeper.cleanup)
        self.home = Path(keeper.name)
        set_toys(self.home, dict.fromkeys(names, "honest"))
        executors, handlers = {}, {}
        for name in names:
            executors[name], handlers[name] = SiteExecutor(secret_of(name, SECRET)), dict[str, Any]()
            start = self._context(name, handlers[name])
            executors[name].handle_event(EventType.START_RUN, start)
            atexit.register(executors[name].handle_event, EventType.END_RUN, start)
        self.wire = Wire(executors, handlers)
        return self.wire

    def _context(self, name: str, handlers: dict[str, Any]) -> FLContext:
        def register(topic: str, message_handle_func: Any) -> None:
            handlers[topic] = message_handle_func

        kit = self.home / name / "kit"
        context = FLContext()
        workspace = SimpleNamespace(get_root_dir=lambda: str(kit))
        context.set_prop(FLContextKey.WORKSPACE_OBJECT, workspace, private=True)
        engine = SimpleNamespace(register_aux_message_handler=register, fire_event=_unheard)
        context.set_prop(ReservedKey.ENGINE, engine, private=True)
        return context


def carrier_of(wire: Wire, folder: Path, plan: Plan) -> FlareCarrier:
    """The aggregator's; `wire` has what it uses of FLARE's controller, between real ends."""
    return FlareCarrier(wire, Signal(), folder, "test", commented_plan(plan), secret=SECRET)  # type: ignore[arg-type]


def _unheard(*_: object) -> None:
    """FLARE's components fire events when they log; nobody listens here."""


@contextmanager
def learner_of(module: str) -> Iterator[None]:
    """Put this module in the learner's place, for processes started from here on."""
    kept = {name: os.environ.get(name) for name in ("CRYOFED_LEARNER", "PYTHONPATH", "OMP_NUM_THREADS")}
    paths = [str(ROOT), *filter(None, [kept["PYTHONPATH"]])]
    os.environ |= {"CRYOFED_LEARNER": module, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
