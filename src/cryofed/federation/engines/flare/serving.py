"""Start the aggregator or a site, checking first what FLARE would only wait for."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cryofed.errors import FederationError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.flare.certificates import need_flare
from cryofed.federation.engines.flare.site.greeter import MARK
from cryofed.federation.engines.remote import connection, processes
from cryofed.federation.engines.remote.homes import Home, SiteHome
from cryofed.federation.engines.remote.joining import read_invitation
from cryofed.federation.engines.remote.settings import library_path, read_settings

START_S = 60.0  # FLARE needs 2 to 5 s on an idle machine


def start_aggregator(plan: Plan, home: Home, *, foreground: bool = False) -> None:
    """Start the aggregator and wait until it answers as itself."""
    check_provisioned(home)
    if processes.running(home.aggregator):
        raise FederationError(f"the aggregator of {plan.name} runs already; stop it first")
    connection.check_own_certificate(home.aggregator, "server")
    connection.check_own_certificate(home.coordinator)
    for port in {plan.network.port, plan.network.admin_port or plan.network.port}:
        connection.check_port_free(port)
    command = processes.aggregator_command(home.aggregator)
    if foreground:
        processes.become(home.aggregator, command)
    process = processes.start(home.aggregator, command)
    _wait(home.aggregator, process, lambda: answers(plan, home), "the aggregator")


def answers(plan: Plan, home: Home) -> bool:
    """Whether this federation's aggregator can be reached now."""
    try:
        connection.check_aggregator(home.coordinator, plan.network.host, plan.network.port)
    except FederationError:
        return False
    return True


def check_provisioned(home: Home) -> None:
    """Refuse where `provision` has not been."""
    need_flare()
    if not home.aggregator.exists():
        raise FederationError(
            f"{home.folder}: no aggregator here; first: cryofed federation provision PLAN.toml"
        )


def start_site(home: SiteHome, *, foreground: bool = False) -> str:
    """Start a site and wait until the aggregator has let it in; returns the site's name."""
    check_site(home)
    if foreground:
        processes.become(home.kit, processes.site_command(home.kit))
    start_sites([home])
    return read_settings(home).name


def start_sites(homes: Sequence[SiteHome]) -> None:
    """Start several sites of this machine at once."""
    started = []
    for home in homes:
        check_site(home)
        started.append((home, processes.start(home.kit, processes.site_command(home.kit))))
    for home, process in started:
        name = read_settings(home).name
        try:
            _wait(home.kit, process, (home.kit / MARK).exists, name)
        except FederationError as error:
            if "unauthenticated" not in _tail(home.kit):
                raise
            raise FederationError(
                f"the aggregator does not let {name} in: it is not in its registry, or runs another version "
                "of cryofed; ask the coordinator, whose `federation status` shows which"
            ) from error


def check_site(home: SiteHome) -> None:
    """Refuse what would keep a site from working, each with one line."""
    need_flare()
    settings = read_settings(home)
    library_path(home, settings)
    if not home.kit.exists():
        raise FederationError(
            f"{home.folder}: has not joined yet; give the coordinator's answer: cryofed site join "
            f"{settings.name}.signed.zip"
        )
    if processes.running(home.kit):
        raise FederationError(f"{settings.name} runs already; stop it first")
    invitation = read_invitation(home.invitation)
    connection.check_own_certificate(home.kit)
    connection.check_aggregator(home.kit, invitation.host, invitation.port)


def _wait(kit: Path, process: subprocess.Popen[bytes], ready: Callable[[], bool], what: str) -> None:
    try:
        processes.wait_until(ready, process, START_S, what)
        processes.let_go(process)
    except FederationError as error:
        processes.stop([kit])
        raise FederationError(f"{error}; its last words are in {kit / 'console.log'}") from error
    except KeyboardInterrupt:
        processes.stop([kit])
        raise


def _tail(kit: Path) -> str:
    time.sleep(0.1)  # the process has just ended; its last line may be on the way
    log = kit / "log.txt"
    return log.read_text(errors="replace")[-20_000:] if log.exists() else ""
