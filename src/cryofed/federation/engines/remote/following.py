"""A campaign that runs in the aggregator's process, followed from the coordinator's by its files alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryofed.disk.documents import read_document
from cryofed.disk.lock import sole_run
from cryofed.disk.whole import write_whole
from cryofed.errors import FederationError
from cryofed.federation.aggregator.campaign import Campaign, next_campaign
from cryofed.federation.aggregator.gate import Decision, Measured
from cryofed.federation.aggregator.hooks import Hook, tell
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.remote.agreeing import prepare
from cryofed.federation.engines.remote.conduct import CAMPAIGN
from cryofed.federation.engines.remote.engine import RemoteEngine
from cryofed.federation.releases.store import current_release


def follow(engine: RemoteEngine, plan: Plan, home: Path, hooks: Sequence[Hook] = ()) -> Campaign:
    """Have the engine run the next campaign, or go on with the one that was stopped; how it ended."""
    own = engine.machines.home(home)
    engine.machines.check_founded(own)
    number, folder = next_campaign(home)
    with sole_run(own.folder):
        prepare(plan, own)
        write_whole(own.folder / CAMPAIGN, str(number).encode())
        engine.drive(plan, home, Relay(folder / "events.jsonl", hooks).tick, hooks=hooks)
    return ended(home, number, folder, hooks)


def progress(rounds: Path) -> tuple[tuple[str, int], ...]:
    """Changes with every closed round of the campaigns, or of the trial, in this folder."""
    return tuple((str(path), path.stat().st_size) for path in sorted(rounds.rglob("rounds.jsonl")))


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
            tell(self.hooks, event, facts)


def ended(home: Path, number: int, folder: Path, hooks: Sequence[Hook]) -> Campaign:
    """How a campaign ended whose gate has spoken; the hooks hear of it."""
    spoken = read_document(folder / "gate.json")
    tell(hooks, "gate", spoken)
    release = current_release(home / "releases")
    if release is None:
        raise FederationError(f"{home}: the current release is gone; restore the folder releases/")
    return Campaign(number=number, folder=folder, decision=_decision(spoken), release=release)


def _decision(record: Mapping[str, Any]) -> Decision:
    """What `Decision.record` wrote."""
    fields = {name: record[name] for name in Decision.__dataclass_fields__}
    sites = {name: Measured(**one) for name, one in record["sites"].items()}
    return Decision(**fields | {"sites": sites, "stopped_by": tuple(record["stopped_by"])})
