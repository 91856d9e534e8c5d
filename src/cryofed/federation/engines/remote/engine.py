"""What every engine of real machines offers alike; an engine adds its machines and how it drives rounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from cryofed.federation.aggregator.campaign import Campaign
    from cryofed.federation.aggregator.carrier import Carrier
    from cryofed.federation.aggregator.hooks import Hook
    from cryofed.federation.agreement.plan import Plan
    from cryofed.federation.engines.remote.machines import RemoteMachines
    from cryofed.federation.engines.remote.rehearsing import Cast
    from cryofed.federation.site.answering import Site, SiteFunction


class RemoteEngine(ABC):
    """Fills `engines.deployment.Deployment`; a plan that is read loads this, so nothing heavy is imported."""

    name: ClassVar[str]
    table: ClassVar[type[Any] | None] = None

    @property
    @abstractmethod
    def machines(self) -> RemoteMachines:
        """Founding, joining and processes."""

    def drive(
        self,
        plan: Plan,
        home: Path,
        tick: Callable[[], None] = lambda: None,
        trial: str = "",
        hooks: Sequence[Hook] = (),
    ) -> None:
        """Have the founded federation carry out its campaign, or a trial, from the checkpoint to the end.

        So where the aggregator is a process of ours, for one turn of which is asked; an engine that brings
        its own overrides this. The aggregator is started if it does not run, and goes on running afterwards.

        Args:
            plan: of the federation.
            home: the federation's folder.
            tick: called several times a second.
            trial: a folder that `conduct.write_trial` has made; empty for the campaign.
            hooks: hear what happens to the processes; the rounds' own events come from `following.Relay`.

        Raises:
            FederationError: it cannot go on; a later call resumes from the checkpoint.
        """
        from cryofed.federation.engines.remote.turns import drive

        drive(self.machines, plan, home, tick, trial)

    def cast(self) -> Cast | None:
        """Server, loops and carrier for the contract; None where the engine's own tests put it through."""
        return None

    def check(self, plan: Plan, path: Path | str) -> None:
        """Refuse nothing: an engine that cannot do all that a plan may say overrides this."""
        return

    def run(self, plan: Plan, path: Path, home: Path, hooks: Sequence[Hook] = ()) -> Campaign:
        """One campaign on the federation that was founded in `home`, or what is left of it."""
        from cryofed.federation.engines.remote.following import follow

        return follow(self, plan, home, hooks)

    def here(self, plan: Plan, libraries: Mapping[str, Path], home: Path) -> AbstractContextManager[Plan]:
        """Aggregator and sites as processes of this machine, over mutual TLS."""
        from cryofed.federation.engines.remote.here import federation_here

        return federation_here(self.machines, plan, libraries, home)

    def rehearsal(
        self, plan: Plan, sites: Mapping[str, Site], function: SiteFunction, folder: Path
    ) -> AbstractContextManager[Carrier] | None:
        """The engine's real server and site loops in this process, over mutual TLS on a port of its own."""
        from cryofed.federation.engines.remote.rehearsing import rehearsed

        self.machines.need()
        cast = self.cast()
        return None if cast is None else rehearsed(cast, plan, sites, function, folder)
