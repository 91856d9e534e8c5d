"""The seam between the command line and an engine: what can be done with a federation, whoever carries it.

An engine is a folder with one object that fills `Deployment`, named by an entry point of the group
`cryofed.engines`. The folder's own `__init__.py` must import nothing heavy: reading a plan loads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cryofed.errors import FederationError
from cryofed.federation.agreement.engines import load_engine

if TYPE_CHECKING:
    from cryofed.federation.aggregator.campaign import Campaign
    from cryofed.federation.aggregator.carrier import Carrier
    from cryofed.federation.aggregator.hooks import Hook
    from cryofed.federation.agreement.plan import Plan
    from cryofed.federation.site.answering import Site, SiteFunction
    from cryofed.trust.certificates import Certificate
    from cryofed.trust.requests import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What the coordinator sends to sites, and what they compare by telephone."""

    path: Path  # of the file to send; it holds no secret
    authority: str  # fingerprint of the federation's root certificate
    coordinator: str  # fingerprint of the key that signs agreements and releases
    agreement: str  # hash of the agreement in it
    version: int  # of that agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an aggregator or a site of this machine stands."""

    name: str
    processes: int  # that run for it now
    certificate: Certificate | None  # None: it waits for the coordinator's answer


class Machines(Protocol):
    """Operations of an engine whose sites are machines of their own.

    `home` is the federation's folder at the coordinator, or the site's own folder. Everything that a person
    has done wrong ends in one line, a `CryoFedError`.
    """

    def found(self, plan: Plan, home: Path) -> Invitation:
        """Make the authority, the aggregator and the first invitation. A site's key is never made here."""
        ...

    def invite(self, plan: Plan, home: Path) -> Invitation:
        """Write the invitation anew, from the plan as it is now."""
        ...

    def admit(
        self, plan: Plan, home: Path, request: Path, agrees: Callable[[Request], bool], *, renew: bool = False
    ) -> Path:
        """Sign a site's request if `agrees` says so; returns the file to send back."""
        ...

    def revoke(self, plan: Plan, home: Path, name: str) -> None:
        """Let a site take part no more, at once; its key never comes back."""
        ...

    def start(self, plan: Plan, home: Path, *, foreground: bool = False) -> None:
        """Start the aggregator and wait until it answers; in the foreground this does not return."""
        ...

    def stop(self, plan: Plan, home: Path) -> int:
        """End every process of the aggregator; how many there were."""
        ...

    def status(self, plan: Plan, home: Path) -> Standing:
        """How the aggregator stands."""
        ...

    def ask(
        self, invitation: Path, home: Path, name: str, organization: str, *, renew: bool = False
    ) -> tuple[Path, Request]:
        """At a site: make a key here, and write the request to send."""
        ...

    def accept(self, answer: Path, home: Path) -> str:
        """At a site: take the coordinator's answer; the site's name."""
        ...

    def start_site(self, home: Path, *, foreground: bool = False) -> str:
        """Start a site and wait until the aggregator has let it in; its name."""
        ...

    def stop_site(self, home: Path) -> int:
        """End every process of a site; how many there were."""
        ...

    def site_status(self, home: Path) -> Standing:
        """How the site stands."""
        ...


class Deployment(Protocol):
    """One engine, as all other rooms know it."""

    @property
    def name(self) -> str:
        """As a plan writes it."""
        ...

    @property
    def table(self) -> type[Any] | None:
        """The engine's own table in a plan, `[name]`: a dataclass of `schema.fields`; None: it has none."""
        ...

    @property
    def machines(self) -> Machines | None:
        """Operations on machines of their own; None where all sites are in the process of `run`."""
        ...

    def check(self, plan: Plan, path: Path | str) -> None:
        """Refuse, by the field's name, what this engine cannot do.

        Raises:
            InputError: names the plan's field and what to write instead.
        """
        ...

    def run(self, plan: Plan, path: Path, home: Path, hooks: Sequence[Hook] = ()) -> Campaign:
        """One campaign, or what is left of the one that was stopped.

        Args:
            plan: of the federation.
            path: of the plan's file, where relative paths begin.
            home: the federation's folder; its first release is there.
            hooks: called with every event of the rounds.
        """
        ...

    def here(self, plan: Plan, libraries: Mapping[str, Path], home: Path) -> AbstractContextManager[Plan]:
        """The whole federation on this machine, for a demo or a test: started in the `with`, gone after it.

        Gives the plan to run, which may have another port.
        """
        ...

    def rehearsal(
        self, plan: Plan, sites: Mapping[str, Site], function: SiteFunction, folder: Path
    ) -> AbstractContextManager[Carrier] | None:
        """A carrier to sites of this machine that answer by `function`; the contract suite drives it.

        None where the engine's own tests put it through the contract.
        """
        ...


def deployment_of(name: str, path: Path | str = "plan", where: str = "engine") -> Deployment:
    """The engine of this name.

    Raises:
        InputError: there is none here; those that exist are named.
    """
    engine: Deployment = load_engine(name, path, where)
    return engine


def machines_of(name: str) -> Machines:
    """The operations of an engine whose sites are machines of their own.

    Raises:
        FederationError: its sites are not.
    """
    machines = deployment_of(name).machines
    if machines is None:
        raise FederationError(
            f"engine {name}: all its sites are on this machine, so there is nothing to found, join, start or "
            "stop; run the plan, or write an engine of real machines into it"
        )
    return machines
