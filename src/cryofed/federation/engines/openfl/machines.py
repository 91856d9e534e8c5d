"""OpenFL's names, for what all engines of real machines do alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryofed.federation.engines.remote.machines import RemoteMachines


class OpenFLMachines(RemoteMachines):
    """Its processes are ours: `serve` and `node`."""

    engine = "openfl"
    key_kind = "ec"
    package = "openfl"
    release = "1.9"  # the last one; see inside.py

    def environment(self, kit: Path) -> Mapping[str, str]:
        """The learner is started while gRPC's threads run; gRPC need not prepare for that, and is quiet."""
        return {**super().environment(kit), "GRPC_ENABLE_FORK_SUPPORT": "0", "GRPC_VERBOSITY": "NONE"}
