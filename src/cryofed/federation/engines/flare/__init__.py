"""NVIDIA FLARE carries the vectors between real sites: mutual TLS, keys made at home, no code on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.schema.fields import number

if TYPE_CHECKING:
    from cryofed.federation.aggregator.campaign import Campaign
    from cryofed.federation.aggregator.carrier import Carrier
    from cryofed.federation.aggregator.hooks import Hook
    from cryofed.federation.agreement.plan import Plan
    from cryofed.federation.engines.deployment import Machines
    from cryofed.federation.site.answering import Site, SiteFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class FlareRules:
    """The plan's `[flare]` table."""

    admin_port: int = number(
        0, "a port of its own for the coordinator's commands; 0 shares network.port", most=65535
    )


@dataclass(frozen=True, slots=True)
class Flare:
    """Fills `engines.deployment.Deployment`."""

    name: str = "flare"
    table: type[FlareRules] = FlareRules

    @property
    def machines(self) -> Machines:
        """Founding, joining and processes."""
        from cryofed.federation.engines.flare.machines import FlareMachines

        return FlareMachines()

    def check(self, plan: Plan, path: Path | str) -> None:
        """It can do all that a plan may say."""

    def run(self, plan: Plan, path: Path, home: Path, hooks: Sequence[Hook] = ()) -> Campaign:
        """One campaign on the federation that was founded in `home`.

        The aggregator is started if it does not run, and goes on running afterwards.
        """
        from cryofed.federation.engines.flare.coordinator.running import run_on_flare

        return run_on_flare(plan, home, hooks)

    def here(self, plan: Plan, libraries: Mapping[str, Path], home: Path) -> AbstractContextManager[Plan]:
        """Aggregator and sites as processes of this machine, over mutual TLS."""
        from cryofed.federation.engines.flare.machines import FlareMachines
        from cryofed.federation.engines.remote.here import federation_here

        return federation_here(FlareMachines(), plan, libraries, home)

    def rehearsal(
        self, plan: Plan, sites: Mapping[str, Site], function: SiteFunction, folder: Path
    ) -> AbstractContextManager[Carrier] | None:
        """Its sites answer in processes of FLARE's; `tests/federation/engines/flare` rehearse them."""
        return None


FLARE = Flare()
