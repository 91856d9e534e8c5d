"""At the aggregator: the one order that is open, who works on it, and what has come back."""

from __future__ import annotations

import hashlib
import itertools
import queue
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cryofed import __version__
from cryofed.disk.whole import mapped_bytes, write_whole
from cryofed.federation.engines.openfl import inside, words
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import Answer
from cryofed.federation.wire.papers import largest_answer


class Desk:
    """Owns OpenFL's aggregator and the files of the order and its answers; methods may be called by threads.

    The aggregator knows an answer by its hash alone: the bytes lie on the disk, and nothing is averaged.
    """

    def __init__(self, folder: Path, federation: str, counter: Path) -> None:
        """Begin with no order.

        Args:
            folder: of the files; what lies there is removed.
            federation: its name.
            counter: a file with the number of the next round of OpenFL's; no number is used twice.
        """
        shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
        folder.mkdir(mode=0o700, parents=True)
        self.folder, self.federation = folder, federation
        self.guard = threading.RLock()
        self.answers: queue.Queue[Answer] = queue.Queue()
        self.most_bytes = 0  # of an answer to the open order
        self._changed = threading.Condition(self.guard)
        self._names: frozenset[str] = frozenset()  # of the order's tensors
        self._counter, self._files = counter, itertools.count(1)
        first = int(counter.read_text()) if counter.exists() else 1
        self.aggregator = inside.make_aggregator(
            [], uuid=words.AGGREGATOR, federation=federation, tasks=words.TASKS, first=first
        )

    @property
    def number(self) -> int:
        """Of the open round."""
        return int(self.aggregator.round_number)

    def lay_down(self, order: Buffer, plan: str, sites: Sequence[str], seconds: float) -> None:
        """Open this order to these sites, which need not answer after so many seconds."""
        path = self.folder / "order"
        path.unlink(missing_ok=True)
        path.write_bytes(order)
        head = words.Head(cryofed=__version__, plan=plan, seconds=seconds, size=len(order))
        # OpenFL serves these pieces; as maps of the file they take no memory of their own.
        held = np.frombuffer(mapped_bytes(path), np.uint8)
        buffers = {words.HEAD: np.frombuffer(words.pack_head(head), np.uint8)}
        for index in range(head.pieces):
            buffers[words.piece_name(index)] = held[index * words.PIECE : (index + 1) * words.PIECE]
        with self.guard:
            number = self.number
            write_whole(self._counter, str(number + 1).encode())
            self.most_bytes, self._names = largest_answer(order) + words.SLACK, frozenset(buffers)
            self.aggregator.authorized_cols = list(sites)
            self.aggregator.tensor_db.cache_tensor(
                {
                    inside.TensorKey(name, words.AGGREGATOR, number, False, ("model",)): data
                    for name, data in buffers.items()
                }
            )
            self.aggregator.assigner.asked[number] = frozenset(sites)
            self._changed.notify_all()

    def take_back(self) -> None:
        """End the round: whoever works on its order sees that it is gone."""
        with self.guard:
            if self.aggregator.assigner.asked:
                inside.end_round(self.aggregator)
                self._names = frozenset()
                (self.folder / "order").unlink(missing_ok=True)
            while not self.answers.empty():
                self.answers.get_nowait()
            self._changed.notify_all()

    def dismiss_all(self) -> None:
        """Tell everybody who asks that it is over."""
        with self.guard:
            self.aggregator.rounds_to_train = 0
            self._changed.notify_all()

    def clear(self) -> None:
        """Remove the files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def was_told(self, sites: set[str]) -> bool:
        """Whether all of these have heard that it is over."""
        with self.guard:
            return sites <= set(self.aggregator.quit_job_sent_to)

    def awaits(self, site: str, number: int, task: str = words.WORK) -> bool:
        """Whether this site's result of a task is still open."""
        with self.guard:
            return (
                number == self.number
                and site in self.aggregator.assigner.asked.get(number, ())
                and not self.aggregator._collaborator_task_completed(site, task, number)
            )

    def hold(self, site: str, seconds: float, waits: Callable[[], bool]) -> None:
        """Wait until there is work for this site, or it is over, or nobody waits any more."""
        with self.guard:
            self._changed.wait_for(
                lambda: self.awaits(site, self.number) or self.aggregator.rounds_to_train == 0 or not waits(),
                seconds,
            )

    def new_file(self) -> Path:
        """A place for what a site sends."""
        return self.folder / f"answer-{next(self._files)}"

    def serves(self, site: str, number: int, name: str, tags: tuple[str, ...]) -> bool:
        """Whether this tensor is a part of the order that this site works on."""
        with self.guard:
            return tags == ("model",) and name in self._names and self.awaits(site, number)

    def taken(self, path: Path, failure: str) -> tuple[memoryview, bytes]:
        """An answer as a map of its file, which may then be removed, and its hash, which OpenFL notes."""
        data = memoryview(b"") if failure else mapped_bytes(path)
        return data, hashlib.sha256(data).digest()

    def put(self, site: str, data: memoryview, failure: str) -> None:
        """Have the rounds get an answer."""
        self.answers.put(Answer(site=site, data=data, failure=failure))
