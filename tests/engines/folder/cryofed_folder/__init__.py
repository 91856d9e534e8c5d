"""An engine that carries bytes over a folder which all machines see: the smallest one that is real.

It is not part of the product. It shows, and tests, that an engine is one folder and one entry point: no file
of CryoFed names it. Each site is a process that looks into its own corner of the folder.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.schema.fields import number

if TYPE_CHECKING:
    from cryofed.federation.aggregator.campaign import Campaign
    from cryofed.federation.aggregator.carrier import Carrier
    from cryofed.federation.aggregator.hooks import Hook
    from cryofed.federation.agreement.plan import Plan
    from cryofed.federation.site.answering import Site, SiteFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderRules:
    """The plan's `[folder]` table."""

    look_s: float = number(0.02, "seconds between two looks into the folder", least=0.001, most=60)


@dataclass(frozen=True, slots=True)
class Folder:
    """Fills `engines.deployment.Deployment`."""

    name: str = "folder"
    table: type[FolderRules] = FolderRules
    machines: None = None

    def check(self, plan: Plan, path: Path | str) -> None:
        """A folder can carry whatever a plan says, but for masks."""
        from cryofed.errors import InputError

        if plan.guard.mask != "none":
            raise InputError(path, "guard.mask", plan.guard.mask, "engine folder carries no masks")

    def run(self, plan: Plan, path: Path, home: Path, hooks: Sequence[Hook] = ()) -> Campaign:
        """One campaign with the libraries of the plan."""
        from cryofed.federation.aggregator.campaign import run_campaign
        from cryofed.federation.site.answering import LibraryFile, Site, answer

        sites = {
            one.name: Site(
                name=one.name,
                source=LibraryFile(path.parent / one.library),
                folder=home / "sites" / one.name,
            )
            for one in plan.sites
        }
        with self.rehearsal(plan, sites, answer, home / "folder") as carrier:
            return run_campaign(home, plan, carrier, hooks)

    @contextmanager
    def here(self, plan: Plan, libraries: Mapping[str, Path], home: Path) -> Iterator[Plan]:
        """It is always here."""
        yield plan

    @contextmanager
    def rehearsal(
        self, plan: Plan, sites: Mapping[str, Site], function: SiteFunction, folder: Path
    ) -> Iterator[Carrier]:
        """A process for each site, and the carrier that writes to them."""
        from cryofed_folder.carrier import FolderCarrier
        from cryofed_folder.node import clear, main

        # From a fork server, which has imported once what all sites need.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([function.__module__])
        processes = {}
        for name, site in sites.items():
            corner = clear(folder.resolve() / name)
            processes[name] = context.Process(target=main, args=(corner, plan, site, function))
            processes[name].start()
        try:
            yield FolderCarrier(folder.resolve(), processes, plan.table(FolderRules).look_s)
        finally:
            for process in processes.values():
                process.kill()
                process.join()


FOLDER = Folder()
