"""NVIDIA FLARE carries the vectors between real sites: mutual TLS, keys made at home, no code on the wire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.federation.engines.remote.engine import RemoteEngine
from cryofed.schema.fields import number

if TYPE_CHECKING:
    from cryofed.federation.aggregator.hooks import Hook
    from cryofed.federation.agreement.plan import Plan
    from cryofed.federation.engines.remote.machines import RemoteMachines


@dataclass(frozen=True, slots=True, kw_only=True)
class FlareRules:
    """The plan's `[flare]` table."""

    admin_port: int = number(
        0, "a port of its own for the coordinator's commands; 0 shares network.port", most=65535
    )


class Flare(RemoteEngine):
    """Its sites answer in processes of FLARE's, which `tests/federation/engines/flare` rehearse."""

    name = "flare"
    table = FlareRules

    @property
    def machines(self) -> RemoteMachines:
        """FLARE's server and clients."""
        from cryofed.federation.engines.flare.machines import FlareMachines

        return FlareMachines()

    def drive(
        self,
        plan: Plan,
        home: Path,
        tick: Callable[[], None] = lambda: None,
        trial: str = "",
        hooks: Sequence[Hook] = (),
    ) -> None:
        """Segment after segment."""
        from cryofed.federation.engines.flare.coordinator.running import supervisor

        supervisor(plan, home, trial, hooks=hooks).run(tick)


FLARE = Flare()
