"""What a person points at: a library, a site's folder, a plan."""

from __future__ import annotations

import socket
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.doctor.finding import Finding, bad, checked, good, note, wrong
from cryofed.errors import CryoFedError, InputError

if TYPE_CHECKING:
    from cryofed.federation.agreement.plan import Plan
    from cryofed.federation.engines.remote.homes import SiteHome
    from cryofed.trust.identity import Identity

SOON = 14  # days before a certificate ends at which that is worth knowing


def library(path: Path) -> Finding:
    """Whether it opens, and is whole."""

    def check() -> str:
        from cryofed.library.store import Library
        from cryofed.library.upkeep import verify

        with Library(path) as opened:
            problems = verify(opened)
            if problems:
                raise InputError(path, "library", problems[0], "restore it from a backup")
            projects = opened.projects()
        labelled = sum(one.labelled for one in projects)
        return f"whole: {len(projects)} projects, {labelled} labelled averages"

    return checked(f"library {path}", check)


def site(folder: Path) -> list[Finding]:
    """A site's folder: settings, policy, identity, library, and the way to the aggregator."""
    from cryofed.federation.agreement.site_policy import read_policy
    from cryofed.federation.engines.deployment import machines_of
    from cryofed.federation.engines.remote.connection import check_aggregator
    from cryofed.federation.engines.remote.homes import SiteHome
    from cryofed.federation.engines.remote.invitation import engine_of, read_invitation
    from cryofed.federation.engines.remote.settings import library_path, read_settings

    home = SiteHome(folder)

    def policy() -> str:
        read_policy(home.policy)
        return f"{home.policy} reads"

    try:
        settings = read_settings(home)
    except CryoFedError as error:
        return [wrong("site", error)]
    findings = [good("site", f"{settings.name} of {settings.organization}"), _private(home)]
    if home.policy.exists():
        findings.append(checked("policy", policy))
    try:
        findings.append(library(library_path(home, settings)))
    except CryoFedError as error:
        findings.append(wrong("library", error))
    if not home.identity.exists:
        remedy = f"cryofed site join {settings.name}.signed.pem --home {folder}"
        return [*findings, bad("certificate", "none: the coordinator has not answered yet", remedy)]
    findings.append(certificate(home.identity))

    def way() -> str:
        invitation = read_invitation(home.invitation)
        check_aggregator(home.identity, invitation.host, invitation.port)
        return f"{invitation.host}:{invitation.port} answers, and takes this certificate"

    standing = machines_of(engine_of(home.invitation)).site_status(home.folder)
    runs = f"runs, {standing.processes} processes" if standing.processes else "does not run"
    return [*findings, checked("aggregator", way), note("processes", runs)]


def plan(path: Path) -> list[Finding]:
    """A plan, and whether this machine can be its aggregator."""
    from cryofed.federation.agreement.plan_file import read_plan
    from cryofed.federation.engines.deployment import deployment_of

    try:
        read = read_plan(path)
    except CryoFedError as error:
        return [wrong("plan", error)]
    engine = deployment_of(read.engine, path)
    findings = [good("plan", f"{read.name}: {len(read.sites)} sites over {read.engine}")]
    if engine.machines is None:
        return findings
    home = path.parent / read.name
    standing = engine.machines.status(read, home)
    if standing.processes:
        findings.append(good("aggregator", f"runs here, {standing.processes} processes"))
    else:
        findings += [_port(read), _host(read)]
    own = home / read.engine / "identity"
    if (own / "certificate.pem").exists():
        from cryofed.trust.identity import Identity

        findings.append(certificate(Identity(own)))
    return findings


def certificate(identity: Identity) -> Finding:
    """Its authority, its dates, and how long it is still valid."""
    from cryofed.trust.certificates import read_certificate

    def check() -> str:
        identity.check()
        return f"valid until {read_certificate(identity.certificate).last_day.date()}"

    finding = checked("certificate", check)
    if finding.state == "good":
        left = (read_certificate(identity.certificate).last_day - datetime.now(UTC)).days
        if left < SOON:
            return note("certificate", f"{finding.found}: {left} days left", "join again with --renew")
    return finding


def _private(home: SiteHome) -> Finding:
    """Nobody else on the machine may read a private key."""
    for key in (home.identity.key, home.request / "key.pem"):
        if key.exists() and stat.S_IMODE(key.stat().st_mode) & 0o077:
            return bad("private key", f"{key} can be read by other users", f"chmod 600 {key}")
    return good("private key", "only for this user")


def _port(read: Plan) -> Finding:
    from cryofed.federation.engines.remote.connection import check_port_free

    port = read.network.port

    def check() -> str:
        check_port_free(port, patience_s=0.0)
        return f"{port} is free on this machine"

    return checked("port", check)


def _host(read: Plan) -> Finding:
    """Whether the name by which sites reach the aggregator means a machine at all."""
    host = read.network.host
    try:
        address = socket.getaddrinfo(host, read.network.port, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        remedy = "set network.host in the plan to a name that your sites can resolve"
        return bad("host", f"{host}: {error.strerror or error}", remedy)
    text = f"{host} is {address}"
    if str(address).startswith("127.") or address == "::1":
        return note("host", f"{text}: only this machine reaches it", "set network.host for other machines")
    return good("host", text)
