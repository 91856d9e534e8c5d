"""One campaign on FLARE, seen from the coordinator: the same result as from every other engine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryofed.disk.lock import sole_run
from cryofed.disk.whole import write_whole
from cryofed.errors import FederationError
from cryofed.federation.aggregator.campaign import Campaign, next_campaign
from cryofed.federation.aggregator.gate import Decision, Measured
from cryofed.federation.aggregator.rounds import Hook
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.engines.flare import serving
from cryofed.federation.engines.flare.coordinator.supervisor import Supervisor
from cryofed.federation.engines.remote.conduct import CAMPAIGN, PLAN
from cryofed.federation.engines.remote.homes import Home
from cryofed.federation.releases.store import current_release


def flare_home(home: Path) -> Home:
    """The engine's own folder in a federation's folder."""
    return Home(home / "flare")


def run_on_flare(plan: Plan, home: Path, hooks: Sequence[Hook] = ()) -> Campaign:
    """Run the next campaign, or go on with the one that was stopped."""
    flare = flare_home(home)
    serving.check_provisioned(flare)
    number, folder = next_campaign(home)
    with sole_run(flare.folder):
        write_whole(flare.folder / PLAN, travelling(plan).encode())
        write_whole(flare.folder / CAMPAIGN, str(number).encode())
        relay = Relay(folder / "events.jsonl", hooks)
        Supervisor(plan, flare).run(relay.tick)
    told: dict[str, Any] = json.loads((folder / "gate.json").read_text())
    for hook in hooks:
        hook("gate", told)
    release = current_release(home / "releases")
    if release is None:
        raise FederationError(f"{home}: the current release is gone; restore the folder releases/")
    return Campaign(number=number, folder=folder, decision=_decision(told), release=release)


def travelling(plan: Plan) -> str:
    """The plan as the sites get it: without places on the coordinator's disk."""
    return commented_plan(replace(plan, sites=tuple(replace(site, library="") for site in plan.sites)))


class Relay:
    """Tells hooks here what the rounds note at the aggregator."""

    def __init__(self, path: Path, hooks: Sequence[Hook]) -> None:
        self.path, self.hooks = path, hooks
        self._read = path.stat().st_size if path.exists() else 0

    def tick(self) -> None:
        """Pass on the whole lines that are new."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        end = text.rfind(b"\n") + 1
        self._read += end
        for line in text[:end].decode().splitlines():
            facts = json.loads(line)
            event = facts.pop("event")
            facts.pop("time", None)
            for hook in self.hooks:
                hook(event, facts)


def _decision(told: Mapping[str, Any]) -> Decision:
    """What `Decision.record` wrote."""
    fields = {name: told[name] for name in Decision.__dataclass_fields__}
    sites = {name: Measured(**one) for name, one in told["sites"].items()}
    return Decision(**fields | {"sites": sites, "stopped_by": tuple(told["stopped_by"])})
