"""A whole federation on this machine: aggregator and sites as own processes, over mutual TLS."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryofed.federation.aggregator.campaign import Campaign
from cryofed.federation.aggregator.rounds import Hook
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.flare import serving
from cryofed.federation.engines.flare.coordinator import provision
from cryofed.federation.engines.flare.coordinator.running import flare_home, run_on_flare
from cryofed.federation.engines.remote import joining, processes
from cryofed.federation.engines.remote.homes import Home, SiteHome
from cryofed.federation.engines.remote.settings import SiteSettings, write_settings


def run_local_federation(
    plan: Plan, libraries: Mapping[str, Path], home: Path, hooks: Sequence[Hook] = (), campaigns: int = 1
) -> list[Campaign]:
    """Found a federation in `home`, start it, run campaigns, stop it; the first release must be there.

    Every site gets a folder in `home / "sites"`, makes its own key there and joins by request and answer,
    exactly as on machines of their own.

    Args:
        plan: its port is replaced by a free one if it is in use.
        libraries: by site.
        home: the federation's folder.
        hooks: called with every event of the rounds.
        campaigns: how many to run, one after the other.
    """
    plan = with_free_port(plan)
    with local_federation(plan, libraries, home):
        return [run_on_flare(plan, home, hooks) for _ in range(campaigns)]


@contextmanager
def local_federation(plan: Plan, libraries: Mapping[str, Path], home: Path) -> Iterator[None]:
    """Provisioned and started inside the `with`; afterwards no process is left."""
    flare = flare_home(home)
    sites = {name: SiteHome(home / "sites" / name) for name in libraries}
    if not flare.authority.exists():
        provision.provision(plan, flare)
    for name, site in sites.items():
        if not site.kit.exists():
            join_here(plan, flare, site, name, libraries[name])
    with _ended_by(signal.SIGTERM, signal.SIGHUP):
        try:
            serving.start_aggregator(plan, flare)
            serving.start_sites(list(sites.values()))
            yield
        finally:
            with _deaf():  # a second Ctrl-C must not leave half of them running
                processes.stop([flare.aggregator, *(site.kit for site in sites.values())])


@contextmanager
def _ended_by(*signals: signal.Signals) -> Iterator[None]:
    """These, too, end the block as Ctrl-C does; Python would end without a last word. `nohup` stays heard."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt  # not SIGINT: what a shell starts in the background has that ignored

    with _handled({one: end for one in signals if signal.getsignal(one) != signal.SIG_IGN}):
        yield


@contextmanager
def _deaf() -> Iterator[None]:
    """Hear no signal that a person sends."""
    with _handled(dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.SIG_IGN)):
        yield


@contextmanager
def _handled(handlers: Mapping[signal.Signals, Any]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # Python hears signals only there
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def join_here(plan: Plan, flare: Home, site: SiteHome, name: str, library: Path) -> None:
    """Request, approval and answer in one go: coordinator and site are the same person here."""
    request, told = joining.ask(flare.invitation, site, name, name)
    answer = provision.approve(plan, flare, request, lambda asked: asked.fingerprint == told.fingerprint)
    joining.accept(answer, site)
    write_settings(site, SiteSettings(name=name, organization=name, library=str(library.resolve())))


def with_free_port(plan: Plan) -> Plan:
    """The plan, on another port where its own is in use."""
    with socket.socket() as one, socket.socket() as other:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("", plan.network.port))
        except OSError:
            other.bind(("", 0))
            free = int(other.getsockname()[1])
            return replace(plan, network=replace(plan.network, port=free, admin_port=0))
    return plan
