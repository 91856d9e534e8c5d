"""The whole way in one process: the real server, the real site loops, mutual TLS; sites answer by a function.

Only the learners are others: a process of this machine's for each site, instead of the one that reads a
library.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from cryofed.errors import FederationError
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.engines.remote.function_learner import FunctionLearner
from cryofed.federation.engines.remote.homes import SiteHome

if TYPE_CHECKING:
    from pathlib import Path

    from cryofed.federation.aggregator.carrier import Carrier
    from cryofed.federation.agreement.plan import Plan
    from cryofed.federation.engines.remote.homes import Home
    from cryofed.federation.engines.remote.machines import RemoteMachines
    from cryofed.federation.engines.remote.working import Learner
    from cryofed.federation.site.answering import Site, SiteFunction
    from cryofed.trust.requests import Request

LOOK_S = 0.1
START_S = 600.0  # a learner imports what its function needs, on a machine that may be busy


class Loop(Protocol):
    """A site's, as it runs in the site's own process."""

    stop: threading.Event

    @property
    def warm(self) -> bool:
        """Whether its learner has said that it is there."""
        ...

    def run(self) -> None:
        """Until `stop`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who plays in an engine's rehearsal; what `link` makes has `open` and `close`."""

    machines: RemoteMachines
    link: Callable[[Plan, Home], Any]
    loop: Callable[
        [Plan, SiteHome, str, int, Callable[[], Learner]], Loop
    ]  # a site's name, the server's port
    carrier: Callable[[Any, Plan, str, list[str]], Any]  # of a link; the plan as TOML, and who takes part
    close: Callable[[Any], None] = lambda link: link.close()


@contextmanager
def rehearsed(
    cast: Cast,
    plan: Plan,
    sites: Mapping[str, Site],
    function: SiteFunction,
    folder: Path,
) -> Iterator[Carrier]:
    """Found, joined and running inside the `with`; gone after it."""
    machines, home = cast.machines, folder.resolve()
    own = machines.home(home)
    homes = {name: SiteHome(home / "sites" / name) for name in sites}
    if not own.authority.exists():
        machines.found(plan, home)
    for name, site in homes.items():
        if not site.identity.exists:
            request, asked = machines.ask(own.invitation, site.folder, name, name)
            answer = machines.admit(plan, home, request, _has(asked.fingerprint))
            machines.accept(answer, site.folder)
    link = cast.link(plan, own)
    port = link.open("127.0.0.1", 0)
    loops, threads = list[Loop](), list[threading.Thread]()
    try:
        for name, site in homes.items():
            loops.append(cast.loop(plan, site, name, port, _maker(plan, sites[name], function)))
            threads.append(threading.Thread(target=loops[-1].run, daemon=True))
            threads[-1].start()
        text = commented_plan(replace(plan, tables={}))
        with closing(cast.carrier(link, plan, text, list(sites))) as carrier:
            _wait(loops, carrier)
            yield carrier
    finally:
        for loop in loops:
            loop.stop.set()
        for thread in threads:
            thread.join(10)
        cast.close(link)


def _wait(loops: list[Loop], carrier: Carrier) -> None:
    """Until every site is there and its learner is warm."""
    end = time.monotonic() + START_S
    while len(carrier.present()) < len(loops) or not all(loop.warm for loop in loops):
        if time.monotonic() > end:
            raise FederationError("the sites of the rehearsal did not start")
        time.sleep(LOOK_S)


def _maker(plan: Plan, site: Site, function: SiteFunction) -> Callable[[], FunctionLearner]:
    return lambda: FunctionLearner(plan, site, function)


def _has(fingerprint: str) -> Callable[[Request], bool]:
    """Whether a request is the one that was made here."""
    return lambda request: request.fingerprint == fingerprint
