"""OpenFL's aggregator and collaborator carry the vectors between real sites, without `fx` and workspaces.

OpenFL averages nothing and keeps nothing: a round of its own is one order of ours, and its tensors are the
order's bytes. Rounds, strategies, checkpoints and guards are ours, as with every engine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.federation.engines.remote.engine import RemoteEngine

if TYPE_CHECKING:
    from cryofed.federation.agreement.plan import Plan
    from cryofed.federation.engines.remote.machines import RemoteMachines
    from cryofed.federation.engines.remote.rehearsing import Cast

# OpenFL writes a site's name among the marks of its tensors: these it uses itself.
TAKEN = ("aggregator", "aggregated", "compressed", "delta", "metric", "model", "trained")


class OpenFL(RemoteEngine):
    """Fills `engines.deployment.Deployment`."""

    name = "openfl"

    @property
    def machines(self) -> RemoteMachines:
        """The server and the collaborators."""
        from cryofed.federation.engines.openfl.machines import OpenFLMachines

        return OpenFLMachines()

    def check(self, plan: Plan, path: Path | str) -> None:
        """Refuse names of sites that mean something to OpenFL."""
        from cryofed.errors import InputError

        for site in plan.site_names:
            if site in TAKEN:
                raise InputError(
                    path, "sites.name", site, "OpenFL uses this word itself: choose another name"
                )

    def cast(self) -> Cast:
        """The real server and the real collaborators."""
        from cryofed.federation.engines.openfl.rehearsal import CAST

        return CAST


OPENFL = OpenFL()
