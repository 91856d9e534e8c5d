"""What a site has decided about itself: `site.toml` in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryofed.errors import InputError
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.schema.fields import needed
from cryofed.schema.reading import noun_of, read_toml
from cryofed.schema.writing import lines_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """Everything but the name may be changed in the file; the next order reads it anew."""

    name: str = needed("of this site, as in the plan")
    organization: str = needed("who runs it")
    library: str = needed("made by: cryofed harvest; a path in this folder, or a whole one")


def write_settings(home: SiteHome, settings: SiteSettings) -> None:
    """Write `site.toml`."""
    lines = ["# This site's own settings. They never leave this machine.", *lines_of(settings)]
    home.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.settings.write_text("\n".join(lines) + "\n", encoding="utf-8")


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
