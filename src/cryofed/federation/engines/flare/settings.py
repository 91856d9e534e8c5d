"""What a site has decided about itself: `site.toml` in its folder."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from cryofed.errors import InputError
from cryofed.federation.engines.flare.homes import SiteHome


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """Everything but the name may be changed in the file; the next segment reads it anew."""

    name: str
    organization: str
    library: str  # the site's SQLite file; relative to the site's folder


def write_settings(home: SiteHome, settings: SiteSettings) -> None:
    """Write `site.toml`."""
    lines = [
        "# This site's own settings. They never leave this machine.",
        f"name = {json.dumps(settings.name)}",
        f"organization = {json.dumps(settings.organization)}",
        f"library = {json.dumps(settings.library)}  # made by: cryofed harvest",
    ]
    home.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.settings.write_text("\n".join(lines) + "\n")


def read_settings(home: SiteHome) -> SiteSettings:
    """Read `site.toml`."""
    try:
        values = tomllib.loads(home.settings.read_text())
    except OSError as error:
        remedy = "join a federation first: cryofed site join INVITATION"
        raise InputError(home.settings, "settings", error.strerror or "unreadable", remedy) from error
    except ValueError as error:
        raise InputError(home.settings, "settings", str(error)[:100], "correct the file") from error
    for field in SiteSettings.__annotations__:
        if not isinstance(values.get(field), str):
            raise InputError(home.settings, field, repr(values.get(field)), "write a text in quotes")
    unknown = sorted(set(values) - set(SiteSettings.__annotations__))
    if unknown:
        raise InputError(home.settings, unknown[0], "unknown field", "remove it")
    return SiteSettings(**values)


def library_path(home: SiteHome, settings: SiteSettings) -> Path:
    """Where the library lies; refuses a missing one."""
    path = home.folder / settings.library
    if not settings.library or not path.is_file():
        raise InputError(
            home.settings, "library", f"no file {path}", "make one: cryofed harvest PROJECTS --library FILE"
        )
    return path
