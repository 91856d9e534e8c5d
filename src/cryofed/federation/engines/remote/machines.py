"""What every engine of real machines does alike; an engine fills in what its processes are."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ClassVar

from cryofed.errors import FederationError, MissingPackageError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.deployment import Invitation, Standing
from cryofed.federation.engines.remote import connection, founding, joining, processes
from cryofed.federation.engines.remote.agreeing import consent_of, sign_agreement_of, signer_of
from cryofed.federation.engines.remote.homes import Home, SiteHome, only_for_this_user
from cryofed.federation.engines.remote.invitation import InvitationFile, read_invitation, write_invitation
from cryofed.federation.engines.remote.settings import check_device, library_path, read_settings
from cryofed.trust import members
from cryofed.trust.certificates import authority_fingerprint, read_certificate
from cryofed.trust.identity import Identity
from cryofed.trust.keys import KeyKind, need_cryptography
from cryofed.trust.requests import Request

START_S = 120.0  # an engine's processes need 2 to 5 s on an idle machine


class RemoteMachines(ABC):
    """Fills `engines.deployment.Machines`; an engine says its names, and what its processes are.

    The aggregator and each site have a kit: a folder in which the engine's processes run, and which stands in
    their command lines. An engine whose processes are ours has two modules, `serve` and `node`, and overrides
    nothing; one that brings its own overrides what makes kits, commands and environment.
    """

    engine: ClassVar[str]  # its name, and that of its folder in the federation's folder
    key_kind: ClassVar[KeyKind]  # of every key

    package: ClassVar[str]  # that the engine's extra installs
    release: ClassVar[str]  # of the package: one, or a series as `1.42.*`; its inside is used too

    def need(self) -> None:
        """Refuse in one line where the engine is not installed, or is not the release that was adapted."""
        need_release(self.package, self.engine, self.release)

    def equip_aggregator(self, plan: Plan, home: Home) -> None:
        """Make the aggregator's kit, from its identity, and whatever else the coordinator needs."""
        fresh_kit(home.aggregator)

    def equip_site(self, home: SiteHome, name: str, invitation: InvitationFile) -> None:
        """Make a site's kit, in the place of an older one, from its identity."""
        fresh_kit(home.kit)

    def aggregator_command(self, plan: Plan, home: Home) -> list[str]:
        """What runs the aggregator; the first word is a whole path."""
        return [sys.executable, "-m", self._module("serve"), str(home.aggregator), str(plan.network.port)]

    def site_command(self, home: SiteHome) -> list[str]:
        """What runs a site.

        It writes the kit's file `processes.MARK` when the aggregator has let it in. Where it may not come in,
        it writes why into `processes.REFUSED` and ends.
        """
        return [sys.executable, "-m", self._module("node"), str(home.kit)]

    def environment(self, kit: Path) -> Mapping[str, str]:
        """What the engine's processes find in their environment beside `processes.environment`."""
        return {"MALLOC_ARENA_MAX": "2"}  # few heaps have few gaps

    def refusal(self, kit: Path) -> str:
        """Why a site's process that has ended may not come in; empty where it was not told so."""
        reason = kit / processes.REFUSED
        return reason.read_text(errors="replace") if reason.exists() else ""

    def ports(self, plan: Plan) -> set[int]:
        """Ports that the aggregator listens on."""
        return {plan.network.port}

    def home(self, home: Path) -> Home:
        """The engine's own folder in a federation's folder."""
        return Home(home / self.engine)

    def found(self, plan: Plan, home: Path) -> Invitation:
        """Make authority, aggregator and invitation."""
        self.need()
        need_cryptography()
        with only_for_this_user():
            founding.make_federation(plan, self.home(home), self.key_kind)
            self.equip_aggregator(plan, self.home(home))
            return self.invite(plan, home)

    def invite(self, plan: Plan, home: Path) -> Invitation:
        """Write the invitation anew."""
        own = self.home(home)
        if not own.authority.exists():
            raise FederationError(f"{own.folder}: not founded; first: cryofed federation provision PLAN.toml")
        root, signer = authority_fingerprint(own.authority / "root.pem"), signer_of(own)
        agreement = sign_agreement_of(plan, own)
        write_invitation(own.invitation, plan, root, signer, own.agreement.read_text())
        return Invitation(
            path=own.invitation,
            authority=root,
            coordinator=signer,
            agreement=agreement.hash,
            version=agreement.version,
        )

    def admit(
        self, plan: Plan, home: Path, request: Path, agrees: Callable[[Request], bool], *, renew: bool = False
    ) -> Path:
        """Sign a site's request."""
        need_cryptography()
        with only_for_this_user():
            return founding.approve(plan, self.home(home), request, agrees, renew=renew)

    def revoke(self, plan: Plan, home: Path, name: str) -> None:
        """Let a site take part no more; whatever runs reads the registry anew."""
        with only_for_this_user():
            members.revoke(self.home(home).registry, name)

    def start(self, plan: Plan, home: Path, *, foreground: bool = False) -> None:
        """Start the aggregator and wait until it answers as itself."""
        own = self.home(home)
        self.check_founded(own)
        if processes.running(own.aggregator):
            raise FederationError(f"the aggregator of {plan.name} runs already; stop it first")
        own.identity.check()
        for port in sorted(self.ports(plan)):
            connection.check_port_free(port)
        with only_for_this_user():
            command, extra = self.aggregator_command(plan, own), self.environment(own.aggregator)
            if foreground:
                processes.become(own.aggregator, command, extra)
            process = processes.start(own.aggregator, command, extra)
        _wait(own.aggregator, process, lambda: self.answers(plan, own), "the aggregator")

    def answers(self, plan: Plan, home: Home) -> bool:
        """Whether this federation's aggregator can be reached now."""
        asks = home.coordinator_identity if home.coordinator_identity.exists else home.identity
        try:
            connection.check_aggregator(asks, plan.network.host, plan.network.port)
        except FederationError:
            return False
        return True

    def stop(self, plan: Plan, home: Path) -> int:
        """End every process of the aggregator."""
        return processes.stop([self.home(home).aggregator])

    def status(self, plan: Plan, home: Path) -> Standing:
        """How the aggregator stands."""
        own = self.home(home)
        return _standing(plan.name, own.aggregator, own.identity)

    def ask(
        self, invitation: Path, home: Path, name: str, organization: str, *, renew: bool = False
    ) -> tuple[Path, Request]:
        """Make a key and the request to send."""
        self.need()
        need_cryptography()
        with only_for_this_user():
            site, kind = SiteHome(home), self.key_kind
            return joining.ask(invitation, site, name, organization, kind=kind, renew=renew)

    def accept(self, answer: Path, home: Path) -> str:
        """Take the coordinator's answer and make the kit."""
        self.need()
        with only_for_this_user():
            site = SiteHome(home)
            name, invitation = joining.accept(answer, site)
            self.equip_site(site, name, invitation)
        return name

    def start_site(self, home: Path, *, foreground: bool = False) -> str:
        """Start a site and wait until the aggregator has let it in."""
        site = SiteHome(home)
        self.check_site(site)
        if foreground:
            with only_for_this_user():
                processes.become(site.kit, self.site_command(site), self.environment(site.kit))
        self.start_sites([site])
        return read_settings(site).name

    def start_sites(self, homes: Sequence[SiteHome]) -> None:
        """Start several sites of this machine at once."""
        started = []
        for home in homes:
            self.check_site(home)
            with only_for_this_user():
                command = self.site_command(home)
                started.append((home, processes.start(home.kit, command, self.environment(home.kit))))
        for home, process in started:
            name, mark = read_settings(home).name, home.kit / processes.MARK
            try:
                _wait(home.kit, process, mark.exists, name)
            except FederationError as error:
                time.sleep(0.1)  # the process has just ended; its last line may be on the way
                reason = self.refusal(home.kit)
                if not reason:
                    raise
                raise FederationError(f"the aggregator does not let {name} in: {reason}") from error

    def stop_site(self, home: Path) -> int:
        """End every process of a site."""
        return processes.stop([SiteHome(home).kit])

    def site_status(self, home: Path) -> Standing:
        """How the site stands."""
        site = SiteHome(home)
        return _standing(read_settings(site).name, site.kit, site.identity)

    def check_founded(self, home: Home) -> None:
        """Refuse where `found` has not been."""
        self.need()
        if not home.aggregator.exists():
            raise FederationError(
                f"{home.folder}: no aggregator here; first: cryofed federation provision PLAN.toml"
            )

    def check_site(self, home: SiteHome) -> None:
        """Refuse what would keep a site from working, each with one line."""
        self.need()
        settings = read_settings(home)
        library_path(home, settings)
        check_device(home, settings)
        if not home.identity.exists:
            raise FederationError(
                f"{home.folder}: has not joined yet; give the coordinator's answer: cryofed site join "
                f"{settings.name}.signed.pem"
            )
        if consent_of(home).accepted() is None:
            raise FederationError(
                f"{settings.name} has not accepted the federation's agreement; read it (cryofed site "
                "agreement show), then: cryofed site agreement accept"
            )
        if processes.running(home.kit):
            raise FederationError(f"{settings.name} runs already; stop it first")
        invitation = read_invitation(home.invitation)
        home.identity.check()
        connection.check_aggregator(home.identity, invitation.host, invitation.port)

    def _module(self, name: str) -> str:
        return f"{type(self).__module__.rpartition('.')[0]}.{name}"


def need_release(package: str, extra: str, release: str) -> None:
    """Refuse in one line where a package is missing, or is of another release.

    Args:
        package: as it is installed.
        extra: of ours that installs it.
        release: `2.9.0`, or a series as `1.42.*`.

    Raises:
        MissingPackageError: it is not there.
        FederationError: it is another one.
    """
    try:
        installed = version(package)
    except PackageNotFoundError:
        raise MissingPackageError(package, extra) from None
    if not fnmatchcase(installed, release):
        raise FederationError(f"{package} {installed} is installed; run: pip install '{package}=={release}'")


def fresh_kit(folder: Path) -> None:
    """An empty folder, in the place of an older one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)


def _standing(name: str, kit: Path, identity: Identity) -> Standing:
    certificate = read_certificate(identity.certificate) if identity.exists else None
    return Standing(name=name, processes=len(processes.running(kit)), certificate=certificate)


def _wait(kit: Path, process: subprocess.Popen[bytes], ready: Callable[[], bool], who: str) -> None:
    try:
        processes.wait_until(ready, process, START_S, who)
        processes.let_go(process)
    except FederationError as error:
        processes.stop([kit])
        raise FederationError(f"{error}; its last words are in {kit / processes.CONSOLE}") from error
    except KeyboardInterrupt:
        processes.stop([kit])
        raise
