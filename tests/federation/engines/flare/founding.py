"""A small provisioned federation, made once: an aggregator and three sites, each in a folder of its own."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("nvflare", reason="the engine of real sites is not installed: pip install '.[flare]'")

from cryofed.federation.agreement.plan import EnrolledSite, NetworkRules, Plan, RoundRules
from cryofed.federation.engines.flare.coordinator import provision
from cryofed.federation.engines.remote import joining
from cryofed.federation.engines.remote.homes import Home, SiteHome

SITES = ("site-1", "site-2", "site-3")


@dataclass(frozen=True)
class Founded:
    """A federation's folders."""

    plan: Plan
    home: Home
    sites: dict[str, SiteHome]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def found(folder: Path, name: str = "demo", sites: tuple[str, ...] = SITES, **network: int) -> Founded:
    rules = NetworkRules(**{"port": free_port(), **network})  # type: ignore[arg-type]
    plan = Plan(
        name=name,
        engine="flare",
        network=rules,
        rounds=RoundRules(count=3, deadline_s=60, grace_s=2),
        sites=tuple(EnrolledSite(name=site, max_examples=1000) for site in SITES),
    )
    home = Home(folder / "coordinator")
    provision.provision(plan, home)
    homes = {site: SiteHome(folder / site) for site in sites}
    for site, site_home in homes.items():
        join(plan, home, site_home, site)
    return Founded(plan, home, homes)


def join(plan: Plan, home: Home, site_home: SiteHome, site: str) -> None:
    request, _ = joining.ask(home.invitation, site_home, site, f"Lab of {site}")
    joining.accept(provision.approve(plan, home, request, lambda _: True), site_home)
