"""Who plays in a rehearsal of Flower's: `remote/rehearsing.py` puts them together."""

from __future__ import annotations

from collections.abc import Callable

from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.flower.calls import Fleet
from cryofed.federation.engines.flower.carrier import FlowerCarrier
from cryofed.federation.engines.flower.link import Link
from cryofed.federation.engines.flower.machines import FlowerMachines
from cryofed.federation.engines.flower.node import Node
from cryofed.federation.engines.remote.homes import TRANSFER, Home, SiteHome
from cryofed.federation.engines.remote.rehearsing import LOOK_S, Cast
from cryofed.federation.engines.remote.working import Learner


def _link(plan: Plan, own: Home) -> Link:
    return Link(own.folder / TRANSFER, own.identity, own.registry, own.refusals)


def _loop(plan: Plan, site: SiteHome, name: str, port: int, make: Callable[[], Learner]) -> Node:
    return Node(Fleet(site.identity, plan.network.host, port), site.kit, make, idle_s=LOOK_S)


def _carrier(link: Link, plan: Plan, text: str, sites: list[str]) -> FlowerCarrier:
    return FlowerCarrier(link, text, min(plan.rounds.min_updates, len(sites)), sites)


CAST = Cast(machines=FlowerMachines(), link=_link, loop=_loop, carrier=_carrier)
