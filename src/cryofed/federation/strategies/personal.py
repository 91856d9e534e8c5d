"""Personal parts: normalization and head stay at the site, the rest is common."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import FederationError
from cryofed.federation.strategies.means import WEIGHTINGS, mean
from cryofed.federation.strategies.ranges import one_of, refuse
from cryofed.federation.strategies.strategy import Memory, State, Strategy, Train
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Layout, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal(Strategy):
    """FedBN's idea for a network with group normalization, and FedPer's for its head.

    `parts` are prefixes of array names, separated by commas; the word `normalization` means every scale
    and shift outside the head. A site starts from the common parts, keeps its own in its memory, and
    sends zeros for them; the common model keeps those that it started with.
    """

    name = "personal"
    paper = "Li et al., FedBN, ICLR 2021; Arivazhagan et al., FedPer, arXiv:1912.00818"
    weighting: str = "examples"
    parts: str = "normalization, head."

    def __post_init__(self) -> None:
        one_of(self, "weighting", WEIGHTINGS)
        if not self._words():
            refuse(self, "parts", "name at least one part, or choose 'fedavg'")

    def own_model(self, message: Vector, memory: Memory, layout: Layout) -> Vector:
        """The common model with the site's own parts."""
        if "personal" not in memory:
            return message
        return np.where(self._mask(layout), memory["personal"], message)

    def site_round(self, message: Vector, memory: Memory, train: Train) -> tuple[Vector, Memory]:
        """Train everything from the site's own model; send the common part's change alone."""
        mine = self._mask(train.layout)
        start = self.own_model(message, memory, train.layout)
        trained = train(start).vector
        delta = np.where(mine, np.float32(0), trained - start)
        return delta, {**memory, "personal": np.where(mine, trained, np.float32(0))}

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """FedAvg's step."""
        step = mean(updates, self.weighting).vector
        step += state.vector
        return State(vector=step, memory=state.memory, round_number=state.round_number + 1)

    def _words(self) -> list[str]:
        return [word.strip() for word in self.parts.split(",") if word.strip()]

    def _mask(self, layout: Layout) -> NDArray[np.bool_]:
        mask = np.zeros(layout.size, np.bool_)
        for word in self._words():
            part = _normalization(layout) if word == "normalization" else layout.span(word)
            if not part.any():
                raise FederationError(f"personal: the network has no part {word!r}; see strategy.parts")
            mask |= part
        return mask


def _normalization(layout: Layout) -> NDArray[np.bool_]:
    """Arrays of one dimension outside the head: the trunk's convolutions have no shift of their own."""
    kinds = [
        len(shape) == 1 and not name.startswith("head.")
        for name, shape in zip(layout.names, layout.shapes, strict=True)
    ]
    return np.repeat(kinds, layout.sizes)
