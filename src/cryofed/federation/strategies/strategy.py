"""What a strategy is: pure functions over vectors, the same in every engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from cryofed.errors import FederationError
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Layout, Vector

Memory = Mapping[str, Vector]  # what a site or the aggregator keeps from round to round


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that the aggregator carries from round to round; a checkpoint holds exactly this."""

    vector: Vector  # the common model
    memory: Memory = field(default_factory=dict)  # momentum and the like
    round_number: int = 0  # rounds combined so far


class Fit(Protocol):
    """What local training gives; `learning.learner.Trained` is one."""

    @property
    def vector(self) -> Vector:
        """The trained model."""
        ...

    @property
    def gradient(self) -> Vector | None:
        """Mean gradient over the steps, without pull and drift; None unless `drift` was given."""
        ...


class Train(Protocol):
    """The site's learner, as a strategy sees it."""

    @property
    def layout(self) -> Layout:
        """Names the numbers of the vector."""
        ...

    def __call__(self, vector: Vector, *, pull: float = 0.0, drift: Vector | None = None) -> Fit:
        """Train from `vector`; `pull` is μ towards it, `drift` is added to every gradient."""
        ...


class Strategy(ABC):
    """One published method. Subclasses are frozen dataclasses; their fields are the plan's parameters.

    The aggregator calls `start` once, then per round `schedule`, `message` and `combine`; a site calls
    `site_round`. All are pure: the same arguments give the same bits.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    channels: ClassVar[int] = 1  # vectors in a message and in an update
    needs_all: ClassVar[bool] = False  # reads all updates at once; the others stream, two vectors of memory
    needs_rows: ClassVar[bool] = False  # looks at single updates, and not at sums only: a mask forbids it

    def start(self, vector: Vector) -> State:
        """The state before round 1."""
        return State(vector=vector)

    def schedule(self, round_number: int, sites: Sequence[str]) -> Sequence[str]:
        """The sites that take part in this round (from 1), of those that could."""
        return sites

    def message(self, state: State) -> Vector:
        """What the sites receive, `(channels * size,)`; the first channel is the common model."""
        return state.vector

    def site_round(self, message: Vector, memory: Memory, train: Train) -> tuple[Vector, Memory]:
        """At the site: train from the message; returns the update's vector and what the site keeps."""
        return train(message).vector - message, memory

    def own_model(self, message: Vector, memory: Memory, layout: Layout) -> Vector:
        """The model that this site evaluates and uses; personal strategies put the site's own parts in."""
        return message[: layout.size]

    @abstractmethod
    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """The next state. `updates` come sorted by site, are read once, and may be memory-mapped."""


def in_order(updates: Iterable[Update]) -> Iterator[Update]:
    """The updates, refused unless sorted by site: sums in another order are other bits."""
    last = None
    for update in updates:
        if last is not None and update.site <= last:
            raise FederationError(f"updates out of order: {update.site!r} after {last!r}; sort them by site")
        last = update.site
        yield update
    if last is None:
        raise FederationError("no update to combine; the round needs its quorum first")


def channel(vector: Vector, index: int, channels: int) -> Vector:
    """One channel of a message or update, as a view."""
    size = len(vector) // channels
    return vector[index * size : (index + 1) * size]


def zeros(like: Vector) -> Vector:
    """A vector of zeros."""
    return np.zeros(like.shape, np.float32)
