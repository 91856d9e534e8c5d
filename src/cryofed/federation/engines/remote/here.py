"""A whole federation on this machine: aggregator and sites as processes, of which none is left behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryofed.errors import FederationError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.remote import connection, processes
from cryofed.federation.engines.remote.agreeing import consent_of, signed_agreement
from cryofed.federation.engines.remote.homes import Home, SiteHome
from cryofed.federation.engines.remote.invitation import engine_of
from cryofed.federation.engines.remote.machines import RemoteMachines
from cryofed.federation.engines.remote.settings import SiteSettings, write_settings


@contextmanager
def federation_here(
    machines: RemoteMachines, plan: Plan, libraries: Mapping[str, Path], home: Path
) -> Iterator[Plan]:
    """Founded and started inside the `with`; afterwards no process is left.

    Every site gets a folder in `home / "sites"`, makes its own key there and joins by request and answer,
    exactly as on machines of their own. What is there already is started as it is; a site that has joined
    another engine joins anew, into a folder in `sites` of this engine's own.

    Args:
        machines: of the engine.
        plan: its port is replaced by a free one if it is in use.
        libraries: by site.
        home: the federation's folder.
    """
    plan = with_free_port(plan)
    own = machines.home(home)
    sites = {name: _site_home(machines, home, name) for name in libraries}
    if not own.authority.exists():
        machines.found(plan, home)
    if not _is_signed(plan, own):
        machines.invite(plan, home)
    for name, site in sites.items():
        if not site.identity.exists:
            join_here(machines, plan, home, site, name=name, library=libraries[name])
    if not _is_signed(plan, own):  # profiles that name the members' keys are signed once all have joined
        machines.invite(plan, home)
    for site in sites.values():
        accept_here(own, site)
    with _ended_by(signal.SIGTERM, signal.SIGHUP):
        try:
            machines.start(plan, home)
            machines.start_sites(list(sites.values()))
            yield plan
        finally:
            with _deaf():  # a second Ctrl-C must not leave half of them running
                processes.stop([own.aggregator, *(site.kit for site in sites.values())])


def _site_home(machines: RemoteMachines, home: Path, name: str) -> SiteHome:
    site = SiteHome(home / "sites" / name)
    if site.invitation.exists() and engine_of(site.invitation) != machines.engine:
        return SiteHome(machines.home(home).folder / "sites" / name)
    return site


def join_here(
    machines: RemoteMachines, plan: Plan, home: Path, site: SiteHome, *, name: str, library: Path
) -> None:
    """Request, approval and answer in one go: coordinator and site are the same person here."""
    invitation = machines.home(home).invitation
    request, asked = machines.ask(invitation, site.folder, name, name)
    answer = machines.admit(plan, home, request, lambda one: one.fingerprint == asked.fingerprint)
    machines.accept(answer, site.folder)
    accept_here(machines.home(home), site)
    write_settings(site, SiteSettings(name=name, organization=name, library=str(library.resolve())))


def _is_signed(plan: Plan, home: Home) -> bool:
    try:
        return bool(signed_agreement(plan, home))
    except FederationError:
        return False


def accept_here(home: Home, site: SiteHome) -> None:
    """Accept the newest agreement: coordinator and site are the same person here."""
    consent = consent_of(site)
    agreement, known = consent.propose(home.agreement.read_bytes()), consent.accepted()
    if known is None or known.hash != agreement.hash:
        consent.accept(agreement.hash, "the coordinator's own machine")


def with_free_port(plan: Plan) -> Plan:
    """The plan, on another port where its own is in use."""
    try:
        connection.check_port_free(plan.network.port, patience_s=0.0)
    except FederationError:
        return replace(plan, network=replace(plan.network, port=connection.free_port()))
    return plan


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
