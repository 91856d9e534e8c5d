"""The embedded engine: all sites on this machine, to try a plan and to simulate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.errors import MissingPackageError
from cryofed.learning.device import DEVICES
from cryofed.schema.fields import number, word

if TYPE_CHECKING:
    from cryofed.federation.aggregator.campaign import Campaign
    from cryofed.federation.aggregator.carrier import Carrier
    from cryofed.federation.aggregator.hooks import Hook
    from cryofed.federation.agreement.plan import Plan
    from cryofed.federation.site.answering import Site, SiteFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedRules:
    """The plan's `[embedded]` table: how the engine runs on this machine."""

    workers: int = number(0, "worker processes; 0 takes one per core")
    dropout: float = number(0.0, "share of asked sites that do not answer, drawn per attempt", most=1)
    device: str = word("auto", "where sites compute; only cpu gives the same bits each time", choices=DEVICES)


@dataclass(frozen=True, slots=True)
class Embedded:
    """Fills `engines.deployment.Deployment`."""

    name: str = "embedded"
    table: type[EmbeddedRules] = EmbeddedRules
    machines: None = None

    def check(self, plan: Plan, path: Path | str) -> None:
        """It can do all that a plan may say."""

    def run(self, plan: Plan, path: Path, home: Path, hooks: Sequence[Hook] = ()) -> Campaign:
        """One campaign, in this process and its workers."""
        if find_spec("torch") is None:
            raise MissingPackageError("torch", "train")
        from cryofed.federation.engines.embedded.carrier import run_plan

        return run_plan(plan, path, home, hooks)

    @contextmanager
    def here(self, plan: Plan, libraries: Mapping[str, Path], home: Path) -> Iterator[Plan]:
        """It is always here."""
        yield plan

    def rehearsal(
        self, plan: Plan, sites: Mapping[str, Site], function: SiteFunction, folder: Path
    ) -> AbstractContextManager[Carrier] | None:
        """Its carrier, with worker processes."""
        from cryofed.federation.engines.embedded.carrier import embedded

        return embedded(plan, sites, function)


EMBEDDED = Embedded()
