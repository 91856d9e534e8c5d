"""systemd unit files, so that aggregator and site come back after a crash or a restart."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.federation.engines.remote.settings import read_settings

_UNIT = """\
[Unit]
Description={description}
After=network-online.target
Wants=network-online.target

[Service]
User={user}
ExecStart={python} -m cryofed {words} --foreground
Restart=always
RestartSec=5
KillMode=control-group
NoNewPrivileges=true
PrivateTmp=true
ProtectSystem=strict
ReadWritePaths={folder}

[Install]
WantedBy=multi-user.target
"""


def write_aggregator_unit(directory: Path, plan: Plan, path: Path, home: Path) -> Path:
    """`cryofed-aggregator-NAME.service` in `directory`."""
    words = f"federation start {path} --home {home}"
    return _write(
        directory / f"cryofed-aggregator-{plan.name}.service",
        f"CryoFed aggregator of {plan.name}",
        words,
        home,
    )


def write_site_unit(directory: Path, home: SiteHome) -> Path:
    """`cryofed-site-NAME.service` in `directory`."""
    name = read_settings(home).name
    words = f"site start --home {home.folder}"
    return _write(directory / f"cryofed-site-{name}.service", f"CryoFed site {name}", words, home.folder)


def _write(path: Path, description: str, words: str, folder: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        _UNIT.format(
            description=description, user=getpass.getuser(), python=sys.executable, words=words, folder=folder
        )
    )
    return path
