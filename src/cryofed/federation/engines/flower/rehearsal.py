"""The whole way in one process: the real server, the real site loops, mutual TLS; sites answer by a function.

Only the learners are others: a process of this machine's for each site, instead of the one that reads a
library.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from cryofed.errors import FederationError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.engines.flower.calls import Fleet
from cryofed.federation.engines.flower.carrier import FlowerCarrier
from cryofed.federation.engines.flower.link import Link
from cryofed.federation.engines.flower.machines import FlowerMachines
from cryofed.federation.engines.flower.node import Node
from cryofed.federation.engines.remote.function_learner import FunctionLearner
from cryofed.federation.engines.remote.homes import TRANSFER, SiteHome
from cryofed.federation.site.answering import Site, SiteFunction
from cryofed.trust.requests import Request

_IDLE_S = 0.1
_START_S = 600.0  # a learner imports what its function needs, on a machine that may be busy


@contextmanager
def rehearsed(
    plan: Plan, sites: Mapping[str, Site], function: SiteFunction, folder: Path
) -> Iterator[FlowerCarrier]:
    """Found, joined and running inside the `with`; gone after it."""
    machines, home = FlowerMachines(), folder.resolve()
    own = machines.home(home)
    homes = {name: SiteHome(home / "sites" / name) for name in sites}
    if not own.authority.exists():
        machines.found(plan, home)
    for name, site in homes.items():
        if not site.identity.exists:
            request, asked = machines.ask(own.invitation, site.folder, name, name)
            answer = machines.admit(plan, home, request, _has(asked.fingerprint))
            machines.accept(answer, site.folder)
    link = Link(own.folder / TRANSFER, own.identity, own.registry, own.refusals)
    port = link.open("127.0.0.1", 0)
    nodes, threads = [], []
    try:
        for name, site in homes.items():
            fleet = Fleet(site.identity, plan.network.host, port)
            node = Node(fleet, site.kit, _maker(plan, sites[name], function), idle_s=_IDLE_S)
            nodes.append(node)
            threads.append(threading.Thread(target=node.run, daemon=True))
            threads[-1].start()
        quorum = min(plan.rounds.min_updates, len(sites))
        with closing(
            FlowerCarrier(link, commented_plan(replace(plan, tables={})), quorum, list(sites))
        ) as one:
            _wait(nodes, one)
            yield one
    finally:
        for node in nodes:
            node.stop.set()
        for thread in threads:
            thread.join(10)
        link.close()


def _wait(nodes: list[Node], carrier: FlowerCarrier) -> None:
    """Until every site is there and its learner is warm."""
    end = time.monotonic() + _START_S
    while len(carrier.present()) < len(nodes) or not all(node.warm for node in nodes):
        if time.monotonic() > end:
            raise FederationError("the sites of the rehearsal did not start")
        time.sleep(_IDLE_S)


def _maker(plan: Plan, site: Site, function: SiteFunction) -> Callable[[], FunctionLearner]:
    return lambda: FunctionLearner(plan, site, function)


def _has(fingerprint: str) -> Callable[[Request], bool]:
    """Whether a request is the one that was made here."""
    return lambda request: request.fingerprint == fingerprint
