"""Where a federation of real sites lives: one folder at the coordinator, one at each site."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cryofed.errors import InputError

TRANSFER = "transfer"  # in both folders: orders and answers on their way


@dataclass(frozen=True, slots=True)
class Home:
    """The coordinator's folder of one federation; everything FLARE writes lies in here."""

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
    def invitation(self) -> Path:
        """What the coordinator sends to sites."""
        return self.folder / "invitation.toml"

    @property
    def profile(self) -> Path:
        """FLARE's project profile."""
        return self.folder / "profile.json"

    @property
    def aggregator(self) -> Path:
        """The aggregator's kit."""
        return self.folder / "aggregator"

    @property
    def coordinator(self) -> Path:
        """The kit with which the coordinator submits and stops segments."""
        return self.folder / "coordinator"


@dataclass(frozen=True, slots=True)
class SiteHome:
    """A site's folder; its private key is made here and never leaves."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", self.folder.resolve())  # a kit's processes run in the kit

    @property
    def settings(self) -> Path:
        """Name, organization, library and policy of this site."""
        return self.folder / "site.toml"

    @property
    def invitation(self) -> Path:
        """The invitation that it answers."""
        return self.folder / "invitation.toml"

    @property
    def policy(self) -> Path:
        """What may leave; where it is stricter than the plan, it wins."""
        return self.folder / "policy.toml"

    @property
    def work(self) -> Path:
        """What the learner keeps: its log, the privacy ledger, the strategies' memory."""
        return self.folder / "work"

    @property
    def request(self) -> Path:
        """Key and request until the coordinator has signed."""
        return self.folder / "request"

    @property
    def kit(self) -> Path:
        """What `cryofed site start` runs."""
        return self.folder / "kit"


def organization_name(text: str) -> str:
    """An organization as FLARE writes it into a certificate: `[A-Za-z0-9_]+`."""
    found = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    if not found:
        raise InputError("organization", "name", f"{text!r}", "give a name with letters or digits")
    return found


def check_folder(folder: Path) -> Path:
    """FLARE splits its own commands at blanks, so a folder's path may hold none."""
    folder = folder.resolve()
    if any(character.isspace() or character in "'\"\\" for character in str(folder)):
        raise InputError(folder, "folder", "a blank or a quote in its path", "choose a path without them")
    return folder
