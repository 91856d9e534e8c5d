"""Cyclic weight transfer: the model visits one site after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryofed.errors import FederationError
from cryofed.federation.strategies.means import mean
from cryofed.federation.strategies.strategy import State, Strategy
from cryofed.federation.wire.updates import Update


@dataclass(frozen=True, slots=True, kw_only=True)
class Cyclic(Strategy):
    """One site per round, in the order of their names, round and round (Chang 2018)."""

    name = "cyclic"
    paper = "Chang et al., Distributed deep learning networks among institutions, JAMIA 2018"
    needs_rows = True  # a round has one site, and its sum is that site's update

    def schedule(self, round_number: int, sites: Sequence[str]) -> Sequence[str]:
        """The site whose turn it is."""
        return [sorted(sites)[(round_number - 1) % len(sites)]]

    def combine(self, state: State, updates: Iterable[Update]) -> State:
        """Take the one site's model."""
        average = mean(updates, "equal")
        if average.sites != 1:
            raise FederationError(f"cyclic: {average.sites} updates in one round, it takes one at a time")
        return State(
            vector=state.vector + average.vector, memory=state.memory, round_number=state.round_number + 1
        )
