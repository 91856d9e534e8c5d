"""OpenFL's names, for what all engines of real machines do alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.deployment import Invitation
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.federation.engines.remote.invitation import InvitationFile, read_invitation
from cryofed.federation.engines.remote.machines import RemoteMachines


class OpenFLMachines(RemoteMachines):
    """Its processes are ours: `serve` and `node`."""

    engine = "openfl"
    key_kind = "ec"
    package = "openfl"
    release = "1.9"  # the last one; see inside.py

    def invite(self, plan: Plan, home: Path) -> Invitation:
        """Write the invitation anew, and the plan for sites that run OpenFL's own program."""
        from cryofed.federation.engines.openfl.fx import WORKSPACE, write_plan

        invitation = super().invite(plan, home)
        write_plan(self.home(home).aggregator / WORKSPACE, read_invitation(invitation.path))
        return invitation

    def equip_site(self, home: SiteHome, name: str, invitation: InvitationFile) -> None:
        """A kit, and in it a workspace for OpenFL's own program."""
        from cryofed.federation.engines.openfl.fx import write_workspace

        super().equip_site(home, name, invitation)
        write_workspace(home, name, invitation)

    def environment(self, kit: Path) -> Mapping[str, str]:
        """The learner is started while gRPC's threads run; gRPC need not prepare for that, and is quiet."""
        return {**super().environment(kit), "GRPC_ENABLE_FORK_SUPPORT": "0", "GRPC_VERBOSITY": "NONE"}
