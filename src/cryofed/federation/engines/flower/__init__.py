"""Flower's wire protocol carries the vectors between real sites, and nothing of its platform runs.

The aggregator serves Flower's Fleet API alone, over mutual TLS and Flower's node authentication. A site is a
loop of ours over Flower's HTTP client. There is no run submission, no app bundle and no child of Flower's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryofed.federation.aggregator.campaign import Campaign
    from cryofed.federation.aggregator.carrier import Carrier
    from cryofed.federation.aggregator.hooks import Hook
    from cryofed.federation.agreement.plan import Plan
    from cryofed.federation.engines.deployment import Machines
    from cryofed.federation.site.answering import Site, SiteFunction


@dataclass(frozen=True, slots=True)
class Flower:
    """Fills `engines.deployment.Deployment`."""

    name: str = "flower"
    table: None = None

    @property
    def machines(self) -> Machines:
        """Founding, joining and processes."""
        from cryofed.federation.engines.flower.machines import FlowerMachines

        return FlowerMachines()

    def check(self, plan: Plan, path: Path | str) -> None:
        """Refuse masks: nothing of them is carried yet."""
        if plan.guard.mask != "none":
            from cryofed.errors import InputError

            remedy = "engine flower carries no masks: write none"
            raise InputError(path, "guard.mask", plan.guard.mask, remedy)

    def run(self, plan: Plan, path: Path, home: Path, hooks: Sequence[Hook] = ()) -> Campaign:
        """One campaign on the federation that was founded in `home`.

        The aggregator is started if it does not run, and goes on running afterwards.
        """
        from cryofed.federation.engines.flower.running import run_on_flower

        return run_on_flower(plan, home, hooks)

    def here(self, plan: Plan, libraries: Mapping[str, Path], home: Path) -> AbstractContextManager[Plan]:
        """Aggregator and sites as processes of this machine, over mutual TLS."""
        from cryofed.federation.engines.flower.machines import FlowerMachines
        from cryofed.federation.engines.remote.here import federation_here

        return federation_here(FlowerMachines(), plan, libraries, home)

    def rehearsal(
        self, plan: Plan, sites: Mapping[str, Site], function: SiteFunction, folder: Path
    ) -> AbstractContextManager[Carrier] | None:
        """The real server and the real site loops in this process, over mutual TLS on a port of its own."""
        from cryofed.federation.engines.flower.machines import need_flower

        need_flower()
        from cryofed.federation.engines.flower.rehearsal import rehearsed

        return rehearsed(plan, sites, function, folder)


FLOWER = Flower()
