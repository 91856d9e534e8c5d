"""Found a federation of real sites: authority, aggregator and invitation."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryofed.cli.progress import one_step


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The plan, and the folder."""
    parser.add_argument("plan", type=Path, help="PLAN.toml; its table [network] says where the aggregator is")
    parser.add_argument(
        "--invite",
        action="store_true",
        help="after a change of the plan: sign the new agreement and write the invitation anew",
    )
    parser.add_argument("--home", type=Path, help="the federation's folder (default: beside the plan)")


def run(options: argparse.Namespace) -> None:
    """Provision, and say what to send to the sites."""
    from cryofed.federation.agreement.plan_file import read_plan
    from cryofed.federation.engines.deployment import machines_of
    from cryofed.trust.words import fingerprint_words

    plan = read_plan(options.plan)
    machines, home = machines_of(plan.engine), options.home or options.plan.parent / plan.name
    with one_step("making keys and the agreement"):
        invitation = machines.invite(plan, home) if options.invite else machines.found(plan, home)
    print(f"send this invitation to every site: {invitation.path}")
    print(f"it holds agreement {invitation.version}, whose hash is {invitation.agreement}")
    print("and read both fingerprints, or the words that stand for them, to them by telephone:")
    for role, key in (("authority", invitation.authority), ("coordinator", invitation.coordinator)):
        print(f"  {role:<11} {key}")
        print(f"              {fingerprint_words(key)}")
    print("then, for each request that comes back: cryofed federation approve PLAN.toml NAME.request.pem")
