"""A site's learner at work, beside a loop that looks for newer orders: it may crash, hang or be given up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

TICK_S = 0.02
LOG = "learner.log"  # in the site's folder; full words stay at home


class Learner(Protocol):
    """The process that works on orders: `learner_process`, and in a rehearsal `function_learner`."""

    def ask(self, order: Mapping[str, Any]) -> None:
        """Hand over an order."""
        ...

    def answer(self, seconds: float) -> Mapping[str, Any] | None:
        """Its answer; None if it takes longer; EOFError if it is dead."""
        ...

    @property
    def warm(self) -> bool:
        """Whether it has said that it is there."""
        ...

    @property
    def alive(self) -> bool:
        """Whether it can take another order."""
        ...

    def kill(self) -> None:
        """End it."""
        ...


class Work:
    """Owns the learner of a site, which is warm before the first order and after every end."""

    def __init__(self, make_learner: Callable[[], Learner]) -> None:
        self._make = make_learner
        self._learner: Learner = make_learner()
        self._answer: Path | None = None  # where the answer to the order in hand goes

    @property
    def warm(self) -> bool:
        """Whether the learner has said that it is there."""
        return self._learner.warm

    @property
    def busy(self) -> bool:
        """Whether an order is in hand."""
        return self._answer is not None

    def begin(self, plan: str, order: Path, answer: Path) -> None:
        """Hand an order over; the one before, if it is still in hand, is given up.

        Args:
            plan: as TOML.
            order: a file that is there until the answer is.
            answer: a file that the learner makes.
        """
        self.give_up()
        answer.unlink(missing_ok=True)
        self._answer = answer
        self._ready().ask({"plan": plan, "order": str(order), "answer": str(answer)})

    def outcome(self, seconds: float = TICK_S) -> tuple[str, Path | None, str] | None:
        """How the order in hand went: a code, the answer's file, words for this site's log; None: it works.

        The code is empty where there is an answer.
        """
        try:
            reply = self._learner.answer(seconds)
        except EOFError as error:
            self._answer = None
            self._ready()  # warm again when the next order comes
            return "site_crashed", None, f"{error}; see {LOG}"
        if reply is None:
            return None
        answer, self._answer = self._answer, None
        failure = str(reply["failure"])
        return failure, None if failure else answer, ""

    def give_up(self) -> None:
        """Nobody waits for what the learner does: end it, and have a fresh one."""
        if self._answer is not None:
            self._answer = None
            self._learner.kill()
            self._ready()

    def close(self) -> None:
        """End the learner."""
        self._learner.kill()

    def _ready(self) -> Learner:
        if not self._learner.alive:
            self._learner.kill()
            self._learner = self._make()
        return self._learner
