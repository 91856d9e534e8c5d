"""Where a federation of real machines lives: one folder at the coordinator, one at each site."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryofed.errors import InputError
from cryofed.trust.identity import Identity

TRANSFER = "transfer"  # in both folders: orders and answers on their way
REFUSALS = "refusals.jsonl"  # beside the registry: whom the aggregator did not let in


@dataclass(frozen=True, slots=True)
class Home:
    """The coordinator's folder of one engine, in the federation's folder; all that it writes lies in here."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", self.folder.resolve())  # a kit's processes run in the kit

    @property
    def authority(self) -> Path:
        """The root certificate and its key."""
        return self.folder / "authority"

    @property
    def registry(self) -> Path:
        """Who was approved."""
        return self.folder / "registry.json"

    @property
    def refusals(self) -> Path:
        """Who was not let in."""
        return self.folder / REFUSALS

    @property
    def signing_key(self) -> Path:
        """The coordinator's, for agreements and releases; the federation's, whatever engine it has."""
        return self.folder.parent / "signing" / "key.pem"

    @property
    def agreement(self) -> Path:
        """The newest signed agreement; the versions before lie beside it."""
        return self.folder / "agreement" / "agreement.json"

    @property
    def invitation(self) -> Path:
        """What the coordinator sends to sites."""
        return self.folder / "invitation.toml"

    @property
    def endorsements(self) -> Path:
        """What the chip's maker says of this machine's chip: certificates, lists, collateral."""
        return self.folder / "endorsements"

    @property
    def aggregator(self) -> Path:
        """The aggregator's kit: what its processes run in."""
        return self.folder / "aggregator"

    @property
    def identity(self) -> Identity:
        """The aggregator's own."""
        return Identity(self.folder / "identity")

    @property
    def coordinator_identity(self) -> Identity:
        """The coordinator's own, where the engine needs one for its commands."""
        return Identity(self.folder / "coordinator-identity")

    @property
    def coordinator(self) -> Path:
        """The kit of the coordinator's commands, where the engine needs one."""
        return self.folder / "coordinator"


@dataclass(frozen=True, slots=True)
class SiteHome:
    """A site's folder; its private key is made here and never leaves."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", self.folder.resolve())  # a kit's processes run in the kit

    @property
    def settings(self) -> Path:
        """Name, organization and library of this site."""
        return self.folder / "site.toml"

    @property
    def invitation(self) -> Path:
        """The invitation that it answers."""
        return self.folder / "invitation.toml"

    @property
    def agreement(self) -> Path:
        """What is proposed, what was accepted, and by whom."""
        return self.folder / "agreement"

    @property
    def audit(self) -> Path:
        """What was sent, line by line, and what the aggregator has acknowledged."""
        return self.folder / "audit"

    @property
    def policy(self) -> Path:
        """What may leave; where it is stricter than the plan, it wins."""
        return self.folder / "policy.toml"

    @property
    def work(self) -> Path:
        """What the learner keeps: its log, the privacy ledger, the strategies' memory."""
        return self.folder / "work"

    @property
    def endorsements(self) -> Path:
        """What the chip's maker says of this machine's chip, where the agreement asks sites for evidence."""
        return self.folder / "endorsements"

    @property
    def request(self) -> Path:
        """Key and request until the coordinator has signed."""
        return self.folder / "request"

    @property
    def identity(self) -> Identity:
        """Key and certificate since."""
        return Identity(self.folder / "identity")

    @property
    def kit(self) -> Path:
        """What the site's processes run in."""
        return self.folder / "kit"


def check_folder(folder: Path) -> Path:
    """Refuse a path that an engine could split, where it stands in its commands."""
    folder = folder.resolve()
    if any(character.isspace() or character in "'\"\\" for character in str(folder)):
        raise InputError(folder, "folder", "a blank or a quote in its path", "choose a path without them")
    return folder


def organization_name(text: str) -> str:
    """An organization as it stands in a certificate: `[A-Za-z0-9_]+`."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:64]
    if not name:
        raise InputError("organization", "name", f"{text!r}", "give a name with letters or digits")
    return name


@contextmanager
def only_for_this_user() -> Iterator[None]:
    """What is made in here no other user of the machine can read."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
