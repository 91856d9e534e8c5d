"""systemd unit files, so that aggregator and site come back after a crash or a restart."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from cryofed.disk.whole import write_whole
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.federation.engines.remote.settings import read_settings

# The whole system is read-only but for the paths that are named. SQLite writes beside a library that it only
# reads (its log and index), so a library's folder is named too, wherever it lies.
_UNIT = """\
[Unit]
Description={description}
After=network-online.target
Wants=network-online.target

[Service]
User={user}
ExecStart={command}
Restart=always
RestartSec=5
KillMode=control-group
UMask=0077
NoNewPrivileges=true
PrivateTmp=true
ProtectSystem=strict
ReadWritePaths={writable}

[Install]
WantedBy=multi-user.target
"""


def write_aggregator_unit(directory: Path, plan: Plan, path: Path, home: Path) -> Path:
    """`cryofed-aggregator-NAME.service` in `directory`."""
    words = ["federation", "start", str(path.resolve()), "--home", str(home.resolve())]
    place = directory / f"cryofed-aggregator-{plan.name}.service"
    return _write(place, f"CryoFed aggregator of {plan.name}", words, [home.resolve()])


def write_site_unit(directory: Path, home: SiteHome) -> Path:
    """`cryofed-site-NAME.service` in `directory`."""
    settings = read_settings(home)
    words = ["site", "start", "--home", str(home.folder)]
    library = (home.folder / settings.library).resolve().parent
    place = directory / f"cryofed-site-{settings.name}.service"
    return _write(place, f"CryoFed site {settings.name}", words, sorted({home.folder, library}))


def quoted(word: str) -> str:
    """A word as systemd reads it: in quotes, with its own signs for the rest (systemd.syntax, "Quoting")."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def path_of(path: Path) -> str:
    """A path of a list: quoted as a word is, but that no variable is looked for."""
    return quoted(str(path)).replace("$$", "$")


def _write(path: Path, description: str, words: Sequence[str], writable: Sequence[Path]) -> Path:
    command = [sys.executable, "-m", "cryofed", *words, "--foreground"]
    text = _UNIT.format(
        description=description,
        user=getpass.getuser(),
        command=" ".join(quoted(word) for word in command),
        writable=" ".join(path_of(one) for one in writable),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())
    return path
