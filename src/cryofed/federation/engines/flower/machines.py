"""Flower's processes and kits, for what all engines of real machines do alike."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cryofed.errors import FederationError, MissingPackageError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.remote.homes import Home, SiteHome
from cryofed.federation.engines.remote.invitation import InvitationFile
from cryofed.federation.engines.remote.machines import RemoteMachines
from cryofed.federation.engines.remote.settings import read_settings

RELEASE = "1.42"  # the series that this adapter is written for; see inside.py
_ROOM = "cryofed.federation.engines.flower"
_REFUSED = "refused"  # written by a site's process


class FlowerMachines(RemoteMachines):
    """Fills `engines.deployment.Machines`."""

    engine = "flower"
    key_kind = "ec"  # the one key of a site signs in TLS and in Flower's own authentication

    def need(self) -> None:
        """The pinned series must be there."""
        need_flower()

    def equip_aggregator(self, plan: Plan, home: Home) -> None:
        """A folder; all that the aggregator knows lies beside it."""
        _empty(home.aggregator)

    def equip_site(self, home: SiteHome, name: str, invitation: InvitationFile) -> None:
        """A folder; a new identity is a new node at the aggregator."""
        _empty(home.kit)

    def aggregator_command(self, plan: Plan, home: Home) -> list[str]:
        """Our own process, which serves and conducts."""
        return [sys.executable, "-m", f"{_ROOM}.serve", str(home.aggregator), str(plan.network.port)]

    def site_command(self, home: SiteHome) -> list[str]:
        """Our own loop."""
        return [sys.executable, "-m", f"{_ROOM}.node", str(home.kit)]

    def environment(self, kit: Path) -> Mapping[str, str]:
        """One heap has fewer gaps than many; a site's process also waits for its learner."""
        return {"MALLOC_ARENA_MAX": "2"}

    def refused(self, kit: Path) -> bool:
        """A site's process writes why."""
        return (kit / _REFUSED).exists()

    def start_sites(self, homes: Sequence[SiteHome]) -> None:
        """Start several sites of this machine; one that is refused is told the aggregator's own reason."""
        try:
            super().start_sites(homes)
        except FederationError as error:
            for home in homes:
                if self.refused(home.kit):
                    reason = (home.kit / _REFUSED).read_text(errors="replace")
                    name = read_settings(home).name
                    raise FederationError(f"the aggregator does not let {name} in: {reason}") from error
            raise


def need_flower() -> None:
    """Refuse in one line where Flower is missing or of another series."""
    try:
        installed = version("flwr")
    except PackageNotFoundError:
        raise MissingPackageError("flwr", "flower") from None
    if not installed.startswith(f"{RELEASE}."):
        raise FederationError(f"flwr {installed} is installed; run: pip install 'flwr=={RELEASE}.*'")


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
