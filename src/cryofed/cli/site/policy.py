"""`cryofed site policy show|check|write`: what may leave this site, as its own people decide."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from cryofed.errors import InputError, OutputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The action, and a plan to hold the policy against."""
    parser.add_argument(
        "action",
        choices=("show", "check", "write"),
        help="show: what is in force; check: read the file and say what is wrong; write: a commented one",
    )
    parser.add_argument("--plan", type=Path, help="show: together with this plan, of which the stricter wins")
    parser.add_argument("--force", action="store_true", help="write: replace the file that is there")


def run(options: argparse.Namespace) -> None:
    """Do what the action says."""
    from cryofed.federation.agreement.plan_file import read_plan
    from cryofed.federation.agreement.rules import stricter
    from cryofed.federation.agreement.site_policy import SitePolicy, commented_policy, read_policy
    from cryofed.federation.engines.remote.homes import SiteHome

    path = SiteHome(options.home).policy
    if options.action == "write":
        _write(path, commented_policy(SitePolicy()), options.force)
        return
    if options.action == "check" and not path.exists():
        raise InputError(path, "policy", "no such file", "write one with: cryofed site policy write")
    policy = read_policy(path) if path.exists() else SitePolicy()
    if options.action == "check":
        print(f"{path}: every table and field is known, and every value allowed")
        return
    if options.plan:
        rules = stricter(read_plan(options.plan).guard, policy.guard)
        policy = replace(policy, guard=rules)
    where = str(path) if path.exists() else f"no {path}: the defaults are in force"
    print(f"# {where}" + (f", and {options.plan}; the stricter of both" if options.plan else ""))
    print(commented_policy(policy), end="")


def _write(path: Path, text: str, force: bool) -> None:
    from cryofed.disk.whole import write_whole

    if path.exists() and not force:
        raise OutputError(path, "policy", "there already", "change it with an editor, or replace it: --force")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, text.encode(), mode=0o600)
    print(f"wrote {path}; nothing changes until you change a value in it")
