"""One campaign on FLARE, seen from the coordinator: the same result as from every other engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryofed.federation.aggregator.campaign import Campaign
from cryofed.federation.aggregator.hooks import Hook
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.flare.coordinator.desk import FlareDesk
from cryofed.federation.engines.flare.machines import FlareMachines, coordinator_name
from cryofed.federation.engines.remote.following import follow
from cryofed.federation.engines.remote.supervisor import Supervisor


def run_on_flare(plan: Plan, home: Path, hooks: Sequence[Hook] = ()) -> Campaign:
    """Run the next campaign, or go on with the one that was stopped."""
    machines = FlareMachines()
    own = machines.home(home)
    machines.check_founded(own)
    return follow(plan, home, own, hooks, supervisor(plan, home, hooks=hooks).run)


def supervisor(
    plan: Plan, home: Path, trial: str = "", *, wait_s: float = 60.0, hooks: Sequence[Hook] = ()
) -> Supervisor:
    """What keeps a campaign of the federation in `home` running, or a trial that `write_trial` has made."""
    machines = FlareMachines()
    own = machines.home(home)
    desk = FlareDesk(own.coordinator, own.aggregator, coordinator_name(plan))
    return Supervisor(plan, home, machines, desk, trial=trial, wait_s=wait_s, hooks=hooks)
