"""`cryofed site ...`: take part in a federation. The private key is made here and stays here."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryofed.cli.site import personalize
from cryofed.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Join, start, stop, status, personalize."""
    commands = parser.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    join = commands.add_parser(
        "join",
        help="answer an invitation, or take the coordinator's answer",
        description="First with the coordinator's invitation.toml: makes a key here, writes NAME.request.zip "
        "to send to the coordinator. Then with the NAME.signed.zip that comes back.",
    )
    join.add_argument("file", type=Path, help="invitation.toml, or NAME.signed.zip")
    join.add_argument("--name", help="of this site, as in the plan (needed with an invitation)")
    join.add_argument("--organization", default="", help="who runs it (default: the name)")
    join.add_argument("--library", type=Path, help="this site's library, made by `cryofed harvest`")
    join.add_argument(
        "--renew", action="store_true", help="a new key and certificate for a site that has joined"
    )
    join.set_defaults(run_subcommand=_join)
    start = commands.add_parser("start", help="connect to the aggregator and work for its rounds")
    start.add_argument("--foreground", action="store_true", help="do not return; for systemd and containers")
    start.add_argument("--systemd", type=Path, metavar="DIR", help="only write a systemd unit file into DIR")
    start.set_defaults(run_subcommand=_start)
    stop = commands.add_parser("stop", help="end every process of this site")
    stop.set_defaults(run_subcommand=_stop)
    status = commands.add_parser("status", help="say whether this site runs, and until when it may")
    status.set_defaults(run_subcommand=_status)
    finish = commands.add_parser(
        "personalize", help="finish a release for this site: own head, weights and threshold, kept at home"
    )
    personalize.add_arguments(finish)
    finish.set_defaults(run_subcommand=personalize.run)
    for child in (join, start, stop, status):
        child.add_argument(
            "--home", type=Path, default=Path("site"), help="this site's folder (default: %(default)s)"
        )


def run(options: argparse.Namespace) -> int | None:
    """The sub-command that was asked for."""
    status: int | None = options.run_subcommand(options)
    return status


def _join(options: argparse.Namespace) -> None:
    from cryofed.federation.engines.remote import joining
    from cryofed.federation.engines.remote.homes import SiteHome
    from cryofed.federation.engines.remote.settings import SiteSettings, read_settings, write_settings

    home = SiteHome(options.home)
    if options.file.suffix == ".zip":
        name = joining.accept(options.file, home)
        print(f"{name} has joined; its key lies in {home.kit / 'startup'} and nowhere else")
        print(f"start it: cryofed site start --home {options.home}")
        return
    known = read_settings(home) if options.renew and home.settings.exists() else None
    name = options.name or (known.name if known else "")
    if not name:
        raise InputError("--name", "name", "none", "give the name that this site has in the plan")
    organization = options.organization or (known.organization if known else name)
    sent, told = joining.ask(options.file, home, name, organization, renew=options.renew)
    if known is None:
        library = str(options.library.resolve()) if options.library else "library.db"
        write_settings(home, SiteSettings(name=name, organization=organization, library=library))
    print(f"send this file to the coordinator: {sent}")
    print(f"and read this key fingerprint to them by telephone: {told.fingerprint}")
    print(f"then: cryofed site join {told.name}.signed.zip --home {options.home}")


def _start(options: argparse.Namespace) -> None:
    from cryofed.federation.engines.flare import serving
    from cryofed.federation.engines.remote import units
    from cryofed.federation.engines.remote.homes import SiteHome

    home = SiteHome(options.home)
    if options.systemd:
        print(f"wrote {units.write_site_unit(options.systemd, home)}")
        return
    name = serving.start_site(home, foreground=options.foreground)
    print(f"{name} is connected; stop it: cryofed site stop --home {options.home}")


def _stop(options: argparse.Namespace) -> None:
    from cryofed.federation.engines.remote.homes import SiteHome
    from cryofed.federation.engines.remote.processes import stop

    print(f"ended {stop([SiteHome(options.home).kit])} processes")


def _status(options: argparse.Namespace) -> None:
    from cryofed.federation.engines.flare.certificates import read_certificate
    from cryofed.federation.engines.remote.homes import SiteHome
    from cryofed.federation.engines.remote.processes import running
    from cryofed.federation.engines.remote.settings import read_settings

    home = SiteHome(options.home)
    settings = read_settings(home)
    processes = len(running(home.kit))
    print(f"{settings.name}: {f'runs, {processes} processes' if processes else 'does not run'}")
    if home.kit.exists():
        certificate = read_certificate(home.kit / "startup" / "client.crt")
        print(f"certificate valid until {certificate.last_day.date()}, key {certificate.fingerprint}")
    else:
        print("not joined yet: waits for the coordinator's NAME.signed.zip")
    print(f"library {settings.library}")
