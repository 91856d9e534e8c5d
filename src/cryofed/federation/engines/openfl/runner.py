"""A site's work as OpenFL's collaborator does it: read the head, fetch the order, let the learner answer."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cryofed import __version__
from cryofed.disk.whole import mapped_bytes
from cryofed.errors import FederationError
from cryofed.federation.engines.openfl import inside, words
from cryofed.federation.engines.remote.serving import say
from cryofed.federation.engines.remote.working import Work


class Runner(inside.TaskRunner):  # type: ignore[misc]  # untyped
    """Fills OpenFL's task runner; it sees flat buffers, and the learner is a process of its own."""

    def __init__(self, work: Work, transfer: Path, wanted: Callable[[int], bool]) -> None:
        """Make the folder of the files on their way.

        Args:
            work: the learner.
            transfer: a folder, emptied.
            wanted: given a round's number, whether its answer is still waited for; may raise to end the work.
        """
        super().__init__(data_loader=None)
        shutil.rmtree(transfer, ignore_errors=True)
        transfer.mkdir(mode=0o700, parents=True)
        self._work, self._transfer, self._wanted = work, transfer, wanted
        self._head: words.Head | None = None

    def get_required_tensorkeys_for_function(self, func_name: str, **_: Any) -> list[Any]:
        """The head, and then the pieces of the order that it announced."""
        if func_name == words.READ:
            names = [words.HEAD]
        else:
            names = [words.piece_name(index) for index in range(self._head.pieces if self._head else 0)]
        return [inside.TensorKey(name, "GLOBAL", 0, False, ("model",)) for name in names]

    @property
    def seconds(self) -> float:
        """After which nobody waits for the answer to the order in hand."""
        return self._head.seconds if self._head else 0.0

    def initialize_tensorkeys_for_functions(self, *_: Any, **__: Any) -> None:
        """OpenFL's plan asks for it; what a task needs is known when it begins."""

    def get_train_data_size(self) -> int:
        """The number of examples is in the answer, where the rounds check it."""
        return 1

    def get_valid_data_size(self) -> int:
        """The same."""
        return 1

    def read(self, col_name: str, round_num: int, input_tensor_dict: Any, **_: Any) -> tuple[Any, Any]:
        """Look at the head; a site of another version does nothing more."""
        self._head = words.unpack_head(bytes(input_tensor_dict[words.HEAD]))
        return {}, {}

    def work(self, col_name: str, round_num: int, input_tensor_dict: Any, **_: Any) -> tuple[Any, Any]:
        """Have the learner answer the order; what it cannot answer becomes a code."""
        failure, answer = self._answered(round_num, input_tensor_dict)
        name, data = (words.FAILURE, failure.encode()) if failure else (words.ANSWER, mapped_bytes(answer))
        key = inside.TensorKey(name, col_name, round_num, False, ("trained",))
        return {key: np.frombuffer(data, np.uint8)}, {}

    def _answered(self, round_num: int, pieces: Any) -> tuple[str, Path]:
        order, answer = self._transfer / "order", self._transfer / "answer"
        head = self._head
        if head is None or sum(len(one) for one in pieces.values()) != head.size:
            return "order_lost", answer  # taken back while it was fetched; nobody waits for this
        if head.cryofed != __version__:
            theirs = words.printable(head.cryofed, 20)
            say(f"the aggregator runs cryofed {theirs}, this site {__version__}; install the same")
            return "order_lost", answer
        order.unlink(missing_ok=True)
        with order.open("wb") as file:
            for index in range(head.pieces):
                file.write(pieces[words.piece_name(index)])
        self._work.begin(head.plan, order, answer)
        try:
            while (outcome := self._work.outcome()) is None:
                if not self._wanted(round_num):
                    self._work.give_up()
                    return "late", answer
        except FederationError:
            self._work.give_up()
            raise
        failure, path, header = outcome
        if header:
            say(header)
        if not failure and (path is None or not path.exists() or not path.stat().st_size):
            failure = "no_update"
        return failure, answer
