"""A campaign that runs in the aggregator's process, followed from the coordinator's by its files alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryofed.disk.documents import read_document
from cryofed.errors import FederationError
from cryofed.federation.aggregator.campaign import Campaign
from cryofed.federation.aggregator.gate import Decision, Measured
from cryofed.federation.aggregator.hooks import Hook, tell
from cryofed.federation.releases.store import current_release


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
    told = read_document(folder / "gate.json")
    tell(hooks, "gate", told)
    release = current_release(home / "releases")
    if release is None:
        raise FederationError(f"{home}: the current release is gone; restore the folder releases/")
    return Campaign(number=number, folder=folder, decision=_decision(told), release=release)


def _decision(told: Mapping[str, Any]) -> Decision:
    """What `Decision.record` wrote."""
    fields = {name: told[name] for name in Decision.__dataclass_fields__}
    sites = {name: Measured(**one) for name, one in told["sites"].items()}
    return Decision(**fields | {"sites": sites, "stopped_by": tuple(told["stopped_by"])})
