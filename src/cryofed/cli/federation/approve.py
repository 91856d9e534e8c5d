"""Sign a site's request, after comparing its key fingerprint with what the site reads out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryofed.trust.requests import Request


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The request, and the fingerprint from the telephone."""
    parser.add_argument("plan", type=Path, help="PLAN.toml")
    parser.add_argument("request", type=Path, help="NAME.request.pem, as the site sent it")
    parser.add_argument(
        "--fingerprint",
        help="of the site's key, as its people read it out, in numbers or words (default: ask for it)",
    )
    parser.add_argument("--renew", action="store_true", help="a known site brings a new key")
    parser.add_argument("--home", type=Path, help="the federation's folder (default: beside the plan)")


def run(options: argparse.Namespace) -> None:
    """Show, compare, sign."""
    from cryofed.errors import FederationError
    from cryofed.federation.agreement.plan_file import read_plan
    from cryofed.federation.engines.deployment import machines_of
    from cryofed.trust.keys import same_fingerprint
    from cryofed.trust.words import fingerprint_words, same_words

    plan = read_plan(options.plan)
    home = options.home or options.plan.parent / plan.name

    def agrees(request: Request) -> bool:
        print(f"name          {request.name}", file=sys.stderr)
        print(f"organization  {request.organization}", file=sys.stderr)
        print(f"role          {request.role}", file=sys.stderr)
        heard = options.fingerprint or _ask()
        print(f"fingerprint   {request.fingerprint}", file=sys.stderr)
        print(f"in words      {fingerprint_words(request.fingerprint)}", file=sys.stderr)
        if not same_fingerprint(heard, request.fingerprint) and not same_words(heard, request.fingerprint):
            raise FederationError(
                f"the key in {options.request} is not the one that was read out; nothing was signed. "
                "Call the site again, and refuse this file if they still differ"
            )
        return True

    answer = machines_of(plan.engine).admit(plan, home, options.request, agrees, renew=options.renew)
    print(f"send this file back to the site: {answer}")


def _ask() -> str:
    # The key's own fingerprint is shown only afterwards: a person who sees it first copies it.
    sys.stderr.write("key fingerprint that the site reads out, numbers or words: ")
    sys.stderr.flush()
    return sys.stdin.readline()
