"""A site's process, `python -m …flower.node KIT`: fetch an order, let the learner work, send its answer."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryofed import __version__
from cryofed.disk.whole import write_whole
from cryofed.errors import FederationError
from cryofed.federation.engines.flower.calls import Fleet, RefusedError, UnreachableError
from cryofed.federation.engines.flower.door import BEAT_S
from cryofed.federation.engines.remote.homes import TRANSFER, SiteHome
from cryofed.federation.engines.remote.own_words import write_down
from cryofed.federation.engines.remote.processes import MARK, REFUSED
from cryofed.federation.engines.remote.serving import say
from cryofed.federation.engines.remote.working import LOG, Learner, Work

NODE = "node"  # in the kit: our number at the aggregator, for the next life
QUICK_S, IDLE_S = 0.2, 1.0  # how often it is asked for orders: soon after one, and else
QUICK_FOR_S = 60.0
WANTED_S = 1.0  # how often it is asked whether it still waits
LONGEST_PAUSE_S = 2.0  # between two attempts to reach it


class Node:
    """One site: it polls while its learner works, so that a newer order ends the work on an older one."""

    def __init__(
        self, fleet: Fleet, kit: Path, make_learner: Callable[[], Learner], *, idle_s: float = IDLE_S
    ) -> None:
        self._fleet, self._kit, self._make_learner, self._idle_s = fleet, kit, make_learner, idle_s
        self._transfer = kit.parent / TRANSFER
        self._work: Work | None = None
        self._node: int | None = None
        self._message: Any = None  # that is worked on
        self._asked_s = -QUICK_FOR_S
        self._looked_s = self._polled_s = 0.0
        self.stop = threading.Event()

    def run(self) -> None:
        """Until `stop`.

        Raises:
            RefusedError: the aggregator does not let us in, and never has since this process began.
        """
        shutil.rmtree(self._transfer, ignore_errors=True)
        self._transfer.mkdir(mode=0o700, parents=True)
        work = self._work = Work(self._make_learner)
        beats = threading.Thread(target=self._beat, daemon=True)
        beats.start()
        try:
            self._loop(work)
        finally:
            self.stop.set()
            work.close()
            node, self._node = self._node, None
            if node is not None:
                with contextlib.suppress(FederationError):
                    self._fleet.deactivate(node)
            self._fleet.close()
            shutil.rmtree(self._transfer, ignore_errors=True)

    @property
    def warm(self) -> bool:
        """Whether its learner has said that it is there, where it says so."""
        return self._work is not None and self._work.warm

    def _loop(self, work: Work) -> None:
        pause = 0.2
        while not self.stop.is_set():
            try:
                if self._node is None:
                    self._activate()
                self._turn(work)
                pause = 0.2
            except RefusedError as error:
                if not (self._kit / MARK).exists() and error.status in (401, 403):
                    raise
                self._away(f"the aggregator refuses: {error}", pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
            except UnreachableError as error:
                self._away(f"the aggregator does not answer: {error}", pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
            except (FederationError, OSError) as error:
                say(str(error))
                self.stop.wait(pause)

    def _activate(self) -> None:
        note = self._kit / NODE
        before = int(note.read_text()) if note.exists() else None
        self._node = self._fleet.activate(before)
        write_whole(note, str(self._node).encode())
        (self._kit / MARK).write_text(__version__ + "\n")
        say(f"active as {self._node}")

    def _away(self, words: str, pause: float) -> None:
        if self._node is not None or pause >= LONGEST_PAUSE_S:
            say(words)
        self._node = None
        self.stop.wait(pause)

    def _turn(self, work: Work) -> None:
        """One look: for a newer order, for the learner's answer, and whether it is still waited for."""
        assert self._node is not None
        now = time.monotonic()
        every = min(QUICK_S, self._idle_s) if now - self._asked_s < QUICK_FOR_S else self._idle_s
        if now - self._polled_s >= every:
            self._polled_s = now
            pulled = self._fleet.pull(self._node)
            if pulled is not None:
                self._begin(work, self._node, *pulled)
                return
        if work.busy:
            self._look(work, self._node)
        else:
            self.stop.wait(max(0.0, self._polled_s + every - time.monotonic()))

    def _begin(self, work: Work, node: int, message: Any, tree: Any) -> None:
        self._asked_s = self._looked_s = time.monotonic()
        work.give_up()
        order = self._transfer / "order"
        header = self._fleet.fetch(node, message, tree, order, self.stop)
        if header.get("cryofed") != __version__:
            theirs = "".join(letter for letter in str(header.get("cryofed"))[:20] if letter.isprintable())
            say(f"the aggregator runs cryofed {theirs}, this site {__version__}; install the same")
            self._reply(node, message, "order_lost", None)
            return
        self._message = message
        work.begin(str(header.get("plan", "")), order, self._transfer / "answer")

    def _look(self, work: Work, node: int) -> None:
        """At the learner, and now and then whether its answer is still waited for."""
        outcome = work.outcome()
        if outcome is None:
            if time.monotonic() - self._looked_s > WANTED_S:
                self._looked_s = time.monotonic()
                if not self._fleet.wanted(node, self._message):
                    work.give_up()
            return
        failure, answer, words = outcome
        if words:
            say(words)
        self._reply(node, self._message, failure, answer)
        self._asked_s = time.monotonic()

    def _reply(self, node: int, message: Any, failure: str, answer: Path | None) -> None:
        write_down(self._kit.parent, failure, self._transfer / "order")
        self._fleet.reply(node, message, failure, answer)

    def _beat(self) -> None:
        """A sign of life, while the loop fetches and sends too."""
        while not self.stop.wait(0.4 * BEAT_S):
            node = self._node
            if node is not None:
                with contextlib.suppress(FederationError):  # the loop notices
                    self._fleet.beat(node)


def main(kit: Path) -> int:
    """Serve this site until it is told to stop."""
    from cryofed.federation.engines.remote.invitation import read_invitation
    from cryofed.federation.engines.remote.learner_process import LearnerProcess

    home = SiteHome(kit.parent)
    (kit / REFUSED).unlink(missing_ok=True)
    invitation = read_invitation(home.invitation)
    fleet = Fleet(home.identity, invitation.host, invitation.port)
    node = Node(fleet, home.kit, lambda: LearnerProcess(home.folder, home.folder / LOG))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: node.stop.set())
    try:
        node.run()
    except RefusedError as error:
        write_whole(kit / REFUSED, str(error).encode())
        say(f"the aggregator does not let us in: {error}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
