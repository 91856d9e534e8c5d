"""One campaign on FLARE, seen from the coordinator: the same result as from every other engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryofed.disk.lock import sole_run
from cryofed.disk.whole import write_whole
from cryofed.federation.aggregator.campaign import Campaign, next_campaign
from cryofed.federation.aggregator.hooks import Hook
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.flare.coordinator.supervisor import Supervisor
from cryofed.federation.engines.flare.machines import FlareMachines
from cryofed.federation.engines.remote.agreeing import prepare
from cryofed.federation.engines.remote.conduct import CAMPAIGN
from cryofed.federation.engines.remote.following import Relay, ended


def run_on_flare(plan: Plan, home: Path, hooks: Sequence[Hook] = ()) -> Campaign:
    """Run the next campaign, or go on with the one that was stopped."""
    machines = FlareMachines()
    flare = machines.home(home)
    machines.check_founded(flare)
    number, folder = next_campaign(home)
    with sole_run(flare.folder):
        prepare(plan, flare)
        write_whole(flare.folder / CAMPAIGN, str(number).encode())
        Supervisor(plan, home, hooks=hooks).run(Relay(folder / "events.jsonl", hooks).tick)
    return ended(home, number, folder, hooks)
