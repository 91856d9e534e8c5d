"""`cryofed site ...`: take part in a federation. The private key is made here and stays here."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.cli.as_json import add_json, print_json
from cryofed.cli.progress import one_step
from cryofed.cli.site import agreement, audit, personalize, policy
from cryofed.errors import InputError
from cryofed.learning.device import DEVICES

if TYPE_CHECKING:
    from cryofed.federation.engines.deployment import Machines
    from cryofed.federation.engines.remote.homes import SiteHome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Join, start, stop, status, agreement, audit, policy, personalize."""
    commands = parser.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    join = commands.add_parser(
        "join",
        help="answer an invitation, or take the coordinator's answer",
        description="First with the coordinator's invitation.toml: makes a key here, writes NAME.request.pem "
        "to send to the coordinator. Then with the NAME.signed.pem that comes back.",
    )
    join.add_argument("file", type=Path, help="invitation.toml, or NAME.signed.pem")
    join.add_argument("--name", help="of this site, as in the plan (needed with an invitation)")
    join.add_argument("--organization", default="", help="who runs it (default: the name)")
    join.add_argument("--library", type=Path, help="this site's library, made by `cryofed harvest`")
    join.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="where this site trains (default: auto, the graphics card that PyTorch sees, else the CPU); "
        "later: in site.toml",
    )
    join.add_argument(
        "--renew", action="store_true", help="a new key and certificate for a site that has joined"
    )
    agreement.add_consent(join)
    join.set_defaults(run_subcommand=_join)
    start = commands.add_parser("start", help="connect to the aggregator and work for its rounds")
    start.add_argument("--foreground", action="store_true", help="do not return; for systemd and containers")
    start.add_argument("--systemd", type=Path, metavar="DIR", help="only write a systemd unit file into DIR")
    start.set_defaults(run_subcommand=_start)
    stop = commands.add_parser("stop", help="end every process of this site")
    stop.set_defaults(run_subcommand=_stop)
    status = commands.add_parser("status", help="say whether this site runs, and until when it may")
    add_json(status)
    status.set_defaults(run_subcommand=_status)
    agreed = commands.add_parser("agreement", help="show, compare or accept what the federation agrees on")
    agreement.add_arguments(agreed)
    agreed.set_defaults(run_subcommand=agreement.run)
    sent = commands.add_parser("audit", help="show, verify or export what has left this site")
    audit.add_arguments(sent)
    sent.set_defaults(run_subcommand=audit.run)
    rules = commands.add_parser("policy", help="show, check or write what may leave this site")
    policy.add_arguments(rules)
    rules.set_defaults(run_subcommand=policy.run)
    finish = commands.add_parser(
        "personalize", help="finish a release for this site: own head, weights and threshold, kept at home"
    )
    personalize.add_arguments(finish)
    finish.set_defaults(run_subcommand=personalize.run)
    for child in (join, start, stop, status, agreed, sent, rules):
        child.add_argument(
            "--home", type=Path, default=Path("site"), help="this site's folder (default: %(default)s)"
        )


def run(options: argparse.Namespace) -> int | None:
    """The sub-command that was asked for."""
    status: int | None = options.run_subcommand(options)
    return status


def _join(options: argparse.Namespace) -> None:
    from cryofed.federation.agreement.words import described
    from cryofed.federation.engines.deployment import machines_of
    from cryofed.federation.engines.remote.agreeing import consent_of
    from cryofed.federation.engines.remote.homes import SiteHome
    from cryofed.federation.engines.remote.invitation import engine_of, read_invitation
    from cryofed.federation.engines.remote.settings import SiteSettings, read_settings, write_settings
    from cryofed.trust.words import fingerprint_words

    home = SiteHome(options.home)
    if options.file.suffix == ".pem":
        name = _machines(home, options.file).accept(options.file, home.folder)
        print(f"{name} has joined; its key lies in {home.identity.folder} and nowhere else")
        print(f"what may leave this site is in {home.policy}: read it, and change it as you see fit")
        print(f"start it: cryofed site start --home {options.home}")
        return
    machines = machines_of(engine_of(options.file))
    known = read_settings(home) if options.renew and home.settings.exists() else None
    name = options.name or (known.name if known else "")
    if not name:
        raise InputError("--name", "name", "none", "give the name that this site has in the plan")
    organization = options.organization or (known.organization if known else name)
    sent, request = machines.ask(options.file, home.folder, name, organization, renew=options.renew)
    if known is None:
        library = str(options.library.resolve()) if options.library else "library.db"
        own = SiteSettings(name=name, organization=organization, library=library, device=options.device)
        write_settings(home, own)
    waiting = consent_of(home).proposed()
    if waiting is not None:
        print("\n".join(described(waiting)) + "\n")
        agreement.accept(home, options)
    invitation = read_invitation(options.file)
    print("the coordinator must read to you, in numbers or words; else go no further:")
    for role, key in (("authority", invitation.authority), ("coordinator", invitation.coordinator)):
        print(f"  {role:<11} {key}")
        print(f"              {fingerprint_words(key)}")
    print(f"send this file to the coordinator: {sent}")
    print(f"and read this key fingerprint to them by telephone: {request.fingerprint}")
    print(f"or these words, which stand for it: {fingerprint_words(request.fingerprint)}")
    print(f"then: cryofed site join {request.name}.signed.pem --home {options.home}")


def _machines(home: SiteHome, file: Path | str = "") -> Machines:
    """The operations of the engine that this site was invited to."""
    from cryofed.federation.engines.deployment import machines_of
    from cryofed.federation.engines.remote.invitation import engine_of

    if not home.invitation.exists():
        raise InputError(
            file or home.folder,
            "site",
            f"not invited yet: no {home.invitation}",
            "first: cryofed site join INVITATION",
        )
    return machines_of(engine_of(home.invitation))


def _start(options: argparse.Namespace) -> None:
    from cryofed.federation.engines.remote.homes import SiteHome
    from cryofed.federation.engines.remote.units import write_site_unit

    home = SiteHome(options.home)
    if options.systemd:
        print(f"wrote {write_site_unit(options.systemd, home)}")
        return
    if options.foreground:
        _machines(home).start_site(home.folder, foreground=True)
        return
    with one_step("connecting to the aggregator"):
        name = _machines(home).start_site(home.folder, foreground=False)
    print(f"{name} is connected; stop it: cryofed site stop --home {options.home}")


def _stop(options: argparse.Namespace) -> None:
    from cryofed.federation.engines.remote.homes import SiteHome

    home = SiteHome(options.home)
    print(f"processes ended: {_machines(home).stop_site(home.folder)}")


def _status(options: argparse.Namespace) -> None:
    from cryofed.federation.engines.remote.agreeing import consent_of
    from cryofed.federation.engines.remote.homes import SiteHome
    from cryofed.federation.engines.remote.settings import read_settings
    from cryofed.federation.site.attesting import aggregator_standing
    from cryofed.trust.words import fingerprint_words

    home = SiteHome(options.home)
    now = _machines(home).site_status(home.folder)
    consent = consent_of(home)
    accepted, proposed = consent.accepted(), consent.proposed()
    if options.json:
        certificate = now.certificate and {
            "last_day": str(now.certificate.last_day.date()),
            "fingerprint": now.certificate.fingerprint,
            "words": fingerprint_words(now.certificate.fingerprint),
        }
        print_json(
            {
                "name": now.name,
                "processes": now.processes,
                "certificate": certificate,
                "library": read_settings(home).library,
                "aggregator": aggregator_standing(home.work, accepted.hash if accepted else ""),
                "agreement": {
                    "accepted": accepted.version if accepted else None,
                    "proposed": proposed.version if proposed else None,
                },
            }
        )
        return
    print(f"{now.name}: {f'runs, {now.processes} processes' if now.processes else 'does not run'}")
    if now.certificate:
        print(f"certificate valid until {now.certificate.last_day.date()}, key {now.certificate.fingerprint}")
        print(f"in words {fingerprint_words(now.certificate.fingerprint)}")
    else:
        print("not joined yet: waits for the coordinator's NAME.signed.pem")
    print(f"library {read_settings(home).library}")
    print(f"agreement {accepted.version} is accepted" if accepted else "no agreement is accepted yet")
    print(f"aggregator {aggregator_standing(home.work, accepted.hash if accepted else '')}")
    if proposed is not None:
        print(f"agreement {proposed.version} is proposed: cryofed site agreement diff --home {options.home}")
