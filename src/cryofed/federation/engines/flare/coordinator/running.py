"""What keeps a campaign running on FLARE, seen from the coordinator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryofed.federation.aggregator.hooks import Hook
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.flare.coordinator.desk import FlareDesk
from cryofed.federation.engines.flare.machines import FlareMachines, coordinator_name
from cryofed.federation.engines.remote.supervisor import Supervisor


def supervisor(
    plan: Plan, home: Path, trial: str = "", *, wait_s: float = 60.0, hooks: Sequence[Hook] = ()
) -> Supervisor:
    """Of a campaign of the federation in `home`, or of a trial that `write_trial` has made."""
    machines = FlareMachines()
    own = machines.home(home)
    desk = FlareDesk(own.coordinator, own.aggregator, coordinator_name(plan))
    return Supervisor(plan, home, machines, desk, trial=trial, wait_s=wait_s, hooks=hooks)
