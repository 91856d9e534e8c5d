"""Flower's wire protocol carries the vectors between real sites, and nothing of its platform runs.

The aggregator serves Flower's Fleet API alone, over mutual TLS and Flower's node authentication. A site is a
loop of ours over Flower's HTTP client. There is no run submission, no app bundle and no child of Flower's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.federation.engines.remote.engine import RemoteEngine

if TYPE_CHECKING:
    from cryofed.federation.aggregator.carrier import Carrier
    from cryofed.federation.aggregator.hooks import Hook
    from cryofed.federation.agreement.plan import Plan
    from cryofed.federation.engines.remote.machines import RemoteMachines
    from cryofed.federation.site.answering import Site, SiteFunction


class Flower(RemoteEngine):
    """Aggregator and site are processes of ours."""

    name = "flower"

    @property
    def machines(self) -> RemoteMachines:
        """The server and the loops."""
        from cryofed.federation.engines.flower.machines import FlowerMachines

        return FlowerMachines()

    def drive(
        self,
        plan: Plan,
        home: Path,
        tick: Callable[[], None] = lambda: None,
        trial: str = "",
        hooks: Sequence[Hook] = (),
    ) -> None:
        """One turn of the aggregator's process."""
        from cryofed.federation.engines.remote.turns import drive

        drive(self.machines, plan, home, tick, trial)

    def rehearsal(
        self, plan: Plan, sites: Mapping[str, Site], function: SiteFunction, folder: Path
    ) -> AbstractContextManager[Carrier] | None:
        """The real server and the real site loops in this process, over mutual TLS on a port of its own."""
        self.machines.need()
        from cryofed.federation.engines.flower.rehearsal import rehearsed

        return rehearsed(plan, sites, function, folder)


FLOWER = Flower()
