"""A small provisioned federation, made once: an aggregator and three sites, each in a folder of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("nvflare", reason="the engine of real sites is not installed: pip install '.[flare]'")

from cryofed.federation.agreement.plan import EnrolledSite, NetworkRules, Plan, RoundRules
from cryofed.federation.engines.flare import FlareRules
from cryofed.federation.engines.flare.machines import FlareMachines
from cryofed.federation.engines.remote.connection import free_port
from cryofed.federation.engines.remote.here import accept_here
from cryofed.federation.engines.remote.homes import Home, SiteHome

SITES = ("site-1", "site-2", "site-3")


MACHINES = FlareMachines()


@dataclass(frozen=True)
class Founded:
    """A federation's folders."""

    plan: Plan
    federation: Path  # the coordinator's
    sites: dict[str, SiteHome]

    @property
    def home(self) -> Home:
        return MACHINES.home(self.federation)


def found(
    folder: Path,
    name: str = "demo",
    sites: tuple[str, ...] = SITES,
    admin_port: int = 0,
    *,
    accepts: bool = True,
) -> Founded:
    plan = Plan(
        name=name,
        engine="flare",
        network=NetworkRules(port=free_port()),
        tables={"flare": FlareRules(admin_port=admin_port)},
        rounds=RoundRules(count=3, deadline_s=60, grace_s=2),
        sites=tuple(EnrolledSite(name=site, max_examples=1000) for site in SITES),
    )
    one = Founded(plan, folder / "coordinator", {site: SiteHome(folder / site) for site in sites})
    MACHINES.found(plan, one.federation)
    for site in sites:
        join(one, site, accepts=accepts)
    return one


def join(one: Founded, site: str, *, accepts: bool = True) -> None:
    home = one.sites[site].folder
    request, _ = MACHINES.ask(one.home.invitation, home, site, f"Lab of {site}")
    MACHINES.accept(MACHINES.admit(one.plan, one.federation, request, lambda _: True), home)
    if accepts:
        accept_here(one.home, one.sites[site])
