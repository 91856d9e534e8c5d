"""Read, compare and accept the federation's agreement."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.cli.as_json import add_json, print_json

if TYPE_CHECKING:
    from cryofed.federation.agreement.agreed import Agreement
    from cryofed.federation.engines.remote.homes import SiteHome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Show, diff, accept."""
    parser.add_argument(
        "action",
        choices=("show", "diff", "accept"),
        help="show: the newest in plain words; diff: what it changes; accept: take part under it",
    )
    add_json(parser)
    add_consent(parser)


def add_consent(parser: argparse.ArgumentParser) -> None:
    """How a person, or a script, says yes."""
    parser.add_argument("--yes", action="store_true", help="accept what is shown, without a question")
    parser.add_argument("--accept", metavar="HASH", help="accept the agreement of this hash and no other")


def run(options: argparse.Namespace) -> None:
    """The action that was asked for."""
    from cryofed.errors import InputError
    from cryofed.federation.agreement.agreed import document_of
    from cryofed.federation.agreement.words import described, differences
    from cryofed.federation.engines.remote.agreeing import consent_of
    from cryofed.federation.engines.remote.homes import SiteHome

    home = SiteHome(options.home)
    consent = consent_of(home)
    accepted, proposed = consent.accepted(), consent.proposed()
    newest = proposed or accepted
    if newest is None:
        raise InputError(home.agreement, "agreement", "none", "first: cryofed site join INVITATION")
    if options.action == "accept":
        accept(home, options)
        return
    if options.json:
        print_json(
            {
                "agreement": document_of(newest),
                "hash": newest.hash,
                "accepted": accepted.version if accepted else None,
                "proposed": proposed.version if proposed else None,
                "differences": differences(accepted, proposed) if accepted and proposed else [],
            }
        )
        return
    if options.action == "show":
        print("\n".join(described(newest)))
    elif proposed is None or accepted is None:
        print("nothing is proposed" if accepted else "nothing was accepted before; read it whole: show")
    else:
        print(f"agreement {accepted.version}, accepted, and {proposed.version}, proposed:")
        print("\n".join(f"  {line}" for line in differences(accepted, proposed)))
    print(f"\n{_standing(accepted, proposed, options.home)}")


def accept(home: SiteHome, options: argparse.Namespace) -> bool:
    """Accept what is proposed, if the options or a person say so; whether it was accepted."""
    from cryofed.federation.engines.remote.agreeing import consent_of

    consent = consent_of(home)
    proposed = consent.proposed()
    if proposed is None:
        print("nothing waits to be accepted")
        return True
    wanted = options.accept or (proposed.hash if options.yes or _asked(proposed) else "")
    if not wanted:
        print(f"not accepted; read it: cryofed site agreement show --home {options.home}")
        print(f"then: cryofed site agreement accept --home {options.home}")
        return False
    agreement = consent.accept(wanted.lower(), _person())
    print(f"accepted: agreement {agreement.version} of {agreement.federation}, {agreement.hash}")
    return True


def _asked(proposed: Agreement) -> bool:
    """Ask where somebody can answer."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"take part under agreement {proposed.version} ({proposed.hash[:12]})? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _standing(accepted: Agreement | None, proposed: Agreement | None, home: Path) -> str:
    if proposed is None:
        return f"accepted here: agreement {accepted.version}" if accepted else ""
    before = f"; until then agreement {accepted.version} counts" if accepted else ""
    return f"waits for you: cryofed site agreement accept --home {home}{before}"


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"
