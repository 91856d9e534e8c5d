"""FLARE's processes and kits, for what all engines of real machines do alike."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.flare import FlareRules, files, inside
from cryofed.federation.engines.remote.founding import make_own
from cryofed.federation.engines.remote.homes import Home, SiteHome
from cryofed.federation.engines.remote.invitation import InvitationFile
from cryofed.federation.engines.remote.machines import RemoteMachines
from cryofed.trust.certificates import read_certificate

# All keys are RSA keys, so no cipher of TLS 1.2 fits this one; those of TLS 1.3 are always on. gRPC has no
# setting for the lowest version.
_ONLY_TLS_1_3 = "ECDHE-ECDSA-AES256-GCM-SHA384"


class FlareMachines(RemoteMachines):
    """Fills `engines.deployment.Machines`."""

    engine = "flare"
    key_kind = "rsa"  # FLARE signs its challenges with RSA
    package = "nvflare"
    release = inside.RELEASE

    def equip_aggregator(self, plan: Plan, home: Home) -> None:
        """The aggregator's kit, and the coordinator's, with which segments are submitted."""
        host, port = plan.network.host, plan.network.port
        admin_port = plan.table(FlareRules).admin_port or port
        name = coordinator_name(plan)
        make_own(plan, home, name, "coordinator", home.coordinator_identity, kind=self.key_kind)
        files.aggregator_kit(home.aggregator, home, plan.name, host, (port, admin_port))
        at = (host, admin_port)
        files.coordinator_kit(home.coordinator, home.coordinator_identity, plan.name, name, at)

    def equip_site(self, home: SiteHome, name: str, invitation: InvitationFile) -> None:
        """A site's kit."""
        at = (invitation.host, invitation.port)
        files.site_kit(home.kit, home.identity, name, invitation.federation, at)

    def aggregator_command(self, plan: Plan, home: Home) -> list[str]:
        """FLARE's server."""
        files.refuse_pretended_attestation(home.aggregator)
        own = read_certificate(home.identity.certificate)
        return [sys.executable, *inside.server_command(home.aggregator, own.organization)]

    def site_command(self, home: SiteHome) -> list[str]:
        """FLARE's client."""
        files.refuse_pretended_attestation(home.kit)
        own = read_certificate(home.identity.certificate)
        return [sys.executable, *inside.client_command(home.kit, own.name, own.organization)]

    def environment(self, kit: Path) -> Mapping[str, str]:
        """TLS 1.3 only, FLARE's limits, and a heap with few gaps."""
        return inside.SETTINGS | {
            "GRPC_SSL_CIPHER_SUITES": _ONLY_TLS_1_3,
            "GRPC_VERBOSITY": "ERROR",
            # One heap has fewer gaps than many. A site's threads also train, and must not wait for it.
            "MALLOC_ARENA_MAX": "1" if (kit / "startup/server.crt").exists() else "2",
        }

    def ports(self, plan: Plan) -> set[int]:
        """One, or two where the plan says so."""
        return {plan.network.port, plan.table(FlareRules).admin_port or plan.network.port}

    def refusal(self, kit: Path) -> str:
        """FLARE writes into its log that, not why."""
        log = kit / "log.txt"
        if not log.exists() or "unauthenticated" not in log.read_text(errors="replace")[-20_000:]:
            return ""
        return (
            "it is not in its registry, or runs another version of cryofed; ask the coordinator, whose "
            "`federation status` shows which"
        )


def coordinator_name(plan: Plan) -> str:
    """FLARE wants an e-mail address."""
    return f"coordinator@{plan.name}.org"
