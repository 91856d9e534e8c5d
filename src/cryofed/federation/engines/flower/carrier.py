"""Fills the engine port with Flower: a message per site and order, replies that lie on the disk."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cryofed import __version__
from cryofed.disk.whole import mapped_bytes
from cryofed.errors import FederationError
from cryofed.federation.engines.flower import inside, parcels
from cryofed.federation.engines.flower.link import Link
from cryofed.federation.wire.orders import Answer
from cryofed.federation.wire.papers import largest_answer

SETTLE_S = 5.0  # how long the first round waits for sites beyond the quorum
WAIT_S = 60.0  # how long a round waits for the quorum: sites of an aggregator that was killed come back
TASK_BEAT_S = 10.0  # after 60 s without, Flower ends our run
POLL_S = 0.02
_FAILURES = {
    inside.ErrorCode.NODE_UNAVAILABLE: "site_gone",
    inside.ErrorCode.MESSAGE_UNAVAILABLE: "late",
    inside.ErrorCode.REPLY_MESSAGE_UNAVAILABLE: "late",
}


@dataclass(frozen=True, slots=True)
class _Reply:
    """A reply whose head is here, and whose objects may still be coming."""

    site: str
    number: str
    failure: str = ""
    tree: Any = None
    life: str = ""  # of the process that sends


class FlowerCarrier:
    """Fills `aggregator.carrier.Carrier`; one at a time in a process, for Flower's run is a global of it."""

    def __init__(
        self,
        link: Link,
        plan: str,
        quorum: int,
        sites: Sequence[str],
        *,
        check: Callable[[], None] = lambda: None,
        wait_s: float = WAIT_S,
    ) -> None:
        """Open a run.

        Args:
            link: the server.
            plan: as TOML; a site reads it before it works.
            quorum: sites without which no round begins.
            sites: that may take part.
            check: called often; raises where this turn must end.
            wait_s: how long a round waits for the quorum.
        """
        self._link, self._state, self._plan, self._check = link, link.state, plan, check
        self._quorum, self._sites, self._wait_s = quorum, frozenset(sites), wait_s
        self._run, self._task = inside.open_run(self._state)
        self._asked: dict[str, tuple[str, str]] = {}  # a message's number: the site, and its life
        self._replies: list[_Reply] = []
        self._most_bytes = 0
        self._numbers = itertools.count(1)
        self._settled = time.monotonic() + SETTLE_S
        self._closed = threading.Event()
        self._beat = threading.Thread(target=self._keep_alive, daemon=True)
        self._beat.start()

    def present(self) -> Sequence[str]:
        """Sites whose node gave a sign of life; waits for the quorum, and at first for all."""
        end = time.monotonic() + self._wait_s
        while True:
            self._check()
            there = self._online()
            now = time.monotonic()
            enough = len(there) >= (len(self._sites) if now < self._settled else self._quorum)
            if enough or now > end:
                self._settled = 0.0
                return sorted(there)
            time.sleep(POLL_S)

    def ask(self, order: bytes, sites: Sequence[str]) -> None:
        """Lay the order down once, and a message to each site that points to it."""
        self._most_bytes = largest_answer(order) + parcels.SLACK
        self._link.most_objects = parcels.most_objects(self._most_bytes)
        header = {"plan": self._plan, "cryofed": __version__}
        content, nodes = inside.records(header, order), self._link.door.nodes()
        with inside.sealing():
            for name in sites:
                if name not in nodes or not self._laid_down(name, nodes[name], content):
                    self._replies.append(_Reply(name, "", "site_gone"))

    def _laid_down(self, name: str, node: int, content: Any) -> bool:
        """The message to one site, and of what it points to all that is not there yet."""
        life = self._link.door.life(name)
        message = inside.order_to(node, content, run=self._run, task=self._task, seconds=parcels.KEPT_S)
        tree, objects = inside.sealed(message)
        session = self._state.start_session(self._run)
        head = inside.remove_content_from_message(message)
        stored, missing = self._state.store_message_and_object_tree(head, tree, session)
        if not stored:
            return False
        for number in missing:
            self._state.store_object(self._run, session, number, objects[number].deflate())
        self._asked[message.metadata.message_id] = (name, life)
        return True

    def answer(self, timeout_s: float) -> Answer | None:
        """The next answer that is here whole; a site that is silent for 20 s answers with `site_gone`."""
        end = time.monotonic() + timeout_s
        while True:
            self._check_alive()
            self._take_heads()
            self._look_for_new_lives()
            for reply in self._replies:
                answer = self._taken(reply)
                if answer is not None:
                    self._replies.remove(reply)
                    return answer
            if (left := end - time.monotonic()) <= 0:
                return None
            time.sleep(min(POLL_S, left))

    def dismiss(self) -> None:
        """Take the order back: a site that works on it sees that it is gone."""
        self._state.delete_messages(set(self._asked))
        for number in [*self._asked, *(reply.number for reply in self._replies)]:
            self._link.store.delete(number)
        self._asked.clear()
        self._replies.clear()

    def close(self) -> None:
        """End the run, and forget what was asked."""
        self.dismiss()
        self._closed.set()
        self._beat.join()
        self._state.stop_run(self._run)

    def _online(self) -> set[str]:
        online = self._state.get_nodes(self._run)
        return {name for name, node in self._link.door.nodes().items() if node in online} & self._sites

    def _take_heads(self) -> None:
        if not self._asked:
            return
        for head in self._state.get_message_res(message_ids=set(self._asked), run_id=self._run):
            asked = head.metadata.reply_to_message_id
            site, life = self._asked.pop(asked)
            self._state.delete_messages({asked})
            self._link.store.delete(asked)
            number = head.metadata.message_id
            if head.has_error():
                failure = _FAILURES.get(head.error.code, "answer_lost")
                self._replies.append(_Reply(site, number, failure))
            else:
                tree = self._link.store.get_object_tree(number)
                self._replies.append(_Reply(site, number, tree=tree, life=life))

    def _look_for_new_lives(self) -> None:
        """A site's process that was started again knows nothing of the order that the one before had."""
        nodes = self._link.door.nodes()
        for number, (site, life) in list(self._asked.items()):
            if site not in nodes or self._link.door.life(site) != life:
                del self._asked[number]
                self._state.delete_messages({number})
                self._link.store.delete(number)
                self._replies.append(_Reply(site, "", "site_gone" if site in nodes else "revoked"))

    def _taken(self, reply: _Reply) -> Answer | None:
        """The answer, its objects dropped; None while some are still to come."""
        if reply.number and reply.site not in self._link.door.nodes():
            return self._dropped(reply, "revoked")  # since it began to send
        if not reply.failure:
            came = {self._link.store.came(one.object_id) for one in inside.iterate_object_tree(reply.tree)}
            if None not in came and False in came:
                if reply.site in self._online() and self._link.door.life(reply.site) == reply.life:
                    return None
                return self._dropped(reply, "site_gone")  # it died while it sent, and may be back
            if None in came:
                return self._dropped(reply, "answer_lost")
            return self._unfolded(reply)
        return self._dropped(reply, reply.failure)

    def _unfolded(self, reply: _Reply) -> Answer:
        path = self._link.folder / f"answer-{next(self._numbers)}"
        try:
            header = parcels.unfold(reply.tree, self._content, path, self._most_bytes)
            failure = parcels.failure_in(header)
            if failure or not path.exists():
                return Answer(site=reply.site, failure=failure or "malformed")
            # The name goes at once; the content when the rounds have done with it.
            return Answer(site=reply.site, data=mapped_bytes(path))
        except (FederationError, OSError, ValueError):
            return Answer(site=reply.site, failure="malformed")
        finally:
            path.unlink(missing_ok=True)
            self._link.store.delete(reply.number)

    def _content(self, number: str) -> bytes:
        content: bytes = self._state.get_object(self._run, number)
        return content

    def _dropped(self, reply: _Reply, failure: str) -> Answer:
        self._link.store.delete(reply.number)
        return Answer(site=reply.site, failure=failure)

    def _check_alive(self) -> None:
        if not self._link.serves:
            raise FederationError("the aggregator's server has ended; see its console.log, then run again")

    def _keep_alive(self) -> None:
        while not self._closed.wait(TASK_BEAT_S):
            self._state.acknowledge_task_heartbeat(self._task)
