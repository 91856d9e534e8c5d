"""A server of two approved sites, and what a test does with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.contract import toy

from cryofed.federation.engines.flower.calls import Fleet
from cryofed.federation.engines.flower.carrier import FlowerCarrier
from cryofed.federation.engines.flower.link import Link
from cryofed.federation.engines.flower.machines import FlowerMachines
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.trust.identity import Identity

MACHINES = FlowerMachines()
NAMES = ("alpha", "beta")
PLAN = toy.plan(NAMES)


class Served:
    def __init__(self, folder: Path) -> None:
        self.federation, self.fleets = folder / "coordinator", list[Fleet]()
        self.home = MACHINES.home(self.federation)
        MACHINES.found(PLAN, self.federation)
        self.sites = {name: SiteHome(folder / name) for name in NAMES}
        for name in self.sites:
            self.join(name)
        self.open(0)

    def open(self, port: int) -> None:
        """Serve; again, after `link.close`, as an aggregator that was killed and started again."""
        own = self.home
        self.link = Link(own.folder / "transfer", own.identity, own.registry, own.refusals)
        self.port = self.link.open("127.0.0.1", port)
        self.carrier = FlowerCarrier(self.link, "the plan", 1, NAMES, wait_s=0.0)

    def join(self, name: str, *, renew: bool = False) -> None:
        home = self.sites[name].folder
        request, _ = MACHINES.ask(self.home.invitation, home, name, name, renew=renew)
        answer = MACHINES.admit(PLAN, self.federation, request, lambda _: True, renew=renew)
        MACHINES.accept(answer, home)

    def fleet(self, identity: Identity) -> Fleet:
        """Another life of a site."""
        self.fleets.append(Fleet(identity, "localhost", self.port))
        return self.fleets[-1]

    def close(self) -> None:
        for fleet in self.fleets:
            fleet.close()
        self.carrier.close()
        self.link.close()


class Never:
    """An event that does not come."""

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> Any:
        return None
