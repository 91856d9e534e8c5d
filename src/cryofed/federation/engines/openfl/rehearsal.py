"""Who plays in a rehearsal of OpenFL's: `remote/rehearsing.py` puts them together."""

from __future__ import annotations

from collections.abc import Callable

from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.openfl import words
from cryofed.federation.engines.openfl.carrier import OpenFLCarrier
from cryofed.federation.engines.openfl.link import Link
from cryofed.federation.engines.openfl.machines import OpenFLMachines
from cryofed.federation.engines.openfl.node import Node
from cryofed.federation.engines.remote.homes import TRANSFER, Home, SiteHome
from cryofed.federation.engines.remote.rehearsing import Cast
from cryofed.federation.engines.remote.working import Learner


def _link(plan: Plan, own: Home) -> Link:
    return Link(own.folder / TRANSFER, own.identity, own.registry, own.refusals, plan.name)


def _loop(plan: Plan, site: SiteHome, name: str, port: int, make: Callable[[], Learner]) -> Node:
    aim = words.Aim(host=plan.network.host, port=port, site=name, federation=plan.name)
    return Node(site.identity, aim, site.kit, make)


def _carrier(link: Link, plan: Plan, text: str, sites: list[str]) -> OpenFLCarrier:
    quorum = min(plan.rounds.min_updates, len(sites))
    return OpenFLCarrier(link, text, quorum, sites, deadline_s=plan.rounds.deadline_s)


# Its sites have gone before: nobody is left to be told that it is over.
CAST = Cast(
    machines=OpenFLMachines(), link=_link, loop=_loop, carrier=_carrier, close=lambda link: link.close(0.0)
)
