"""What a site has decided about itself: `site.toml` in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryofed.disk.whole import write_whole
from cryofed.errors import InputError
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.learning.device import DEVICES, device_of
from cryofed.schema.fields import needed, word
from cryofed.schema.reading import noun_of, read_toml
from cryofed.schema.writing import lines_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """Everything but the name may be changed in the file; the next order reads it anew."""

    name: str = needed("of this site, as in the plan")
    organization: str = needed("who runs it")
    library: str = needed("made by: cryofed harvest; a path in this folder, or a whole one")
    device: str = word(
        "auto", "where it computes; auto: the graphics card that PyTorch sees, else cpu", choices=DEVICES
    )


def write_settings(home: SiteHome, settings: SiteSettings) -> None:
    """Write `site.toml`."""
    lines = ["# This site's own settings. They never leave this machine.", *lines_of(settings)]
    home.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(home.settings, ("\n".join(lines) + "\n").encode(), mode=0o600)


def read_settings(home: SiteHome) -> SiteSettings:
    """Read `site.toml`."""
    path, remedy = home.settings, "join a federation first: cryofed site join INVITATION"
    return noun_of(SiteSettings, read_toml(path, "settings", remedy), path)


def library_path(home: SiteHome, settings: SiteSettings) -> Path:
    """Where the library lies; refuses a missing one."""
    path = home.folder / settings.library
    if not settings.library or not path.is_file():
        raise InputError(
            home.settings, "library", f"no file {path}", "make one: cryofed harvest PROJECTS --library FILE"
        )
    return path


def check_device(home: SiteHome, settings: SiteSettings) -> None:
    """Refuse a device that PyTorch does not see here; "auto" and "cpu" are always there."""
    if settings.device in ("auto", "cpu"):  # PyTorch need not be loaded to know it
        return
    try:
        device_of(settings.device)
    except InputError as error:
        _, field, found, remedy = error.args
        raise InputError(home.settings, f"device = {field}", found, remedy) from None
