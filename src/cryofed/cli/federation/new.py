"""Write a commented plan."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path

from cryofed.cli.numbers import count
from cryofed.disk.whole import write_whole
from cryofed.errors import InputError, OutputError
from cryofed.federation.agreement.engines import load_engine
from cryofed.federation.agreement.plan import (
    USUAL,
    WHOLE,
    EnrolledSite,
    StrategyChoice,
)
from cryofed.federation.agreement.plan_file import commented_plan, plan_of
from cryofed.schema.fields import NAME
from cryofed.schema.reading import parse_toml


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a plan needs to know at least."""
    parser.add_argument("plan", type=Path, help="file to write, PLAN.toml")
    parser.add_argument("--name", default="cryofed", help="of the federation (default: %(default)s)")
    parser.add_argument(
        "--sites",
        default="site-1,site-2,site-3",
        metavar="NAME[=LIBRARY],...",
        help="sites, with their library files for the embedded engine (default: %(default)s)",
    )
    parser.add_argument("--engine", default="embedded", help="who carries the vectors (default: %(default)s)")
    parser.add_argument("--strategy", default="fedavg", help="default: %(default)s")
    parser.add_argument(
        "--rounds",
        type=count,
        help=f"default: {USUAL.rounds.count}, with --whole {WHOLE.rounds.count}",
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="train the whole network with all projects, as an untrained start needs, instead of the head "
        "with a secret third of each site's projects; a release then tells more of who took part",
    )
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")


def run(options: argparse.Namespace) -> None:
    """Write the plan, once it reads as a plan: what is wrong is said now."""
    if options.plan.exists() and not options.force:
        raise OutputError(options.plan, "plan", "there already", "give another name, or --force")
    if not options.plan.parent.is_dir():
        raise OutputError(options.plan.parent, "folder", "not there", "make it first")
    load_engine(options.engine, "--engine")
    sites = tuple(_site(word) for word in options.sites.split(",") if word)
    kind = WHOLE if options.whole else USUAL
    rounds = options.rounds or kind.rounds.count
    plan = replace(
        kind,
        name=options.name,
        engine=options.engine,
        rounds=replace(kind.rounds, count=rounds, min_updates=max(1, min(2, len(sites)))),
        strategy=StrategyChoice(name=options.strategy),
        sites=sites,
    )
    text = commented_plan(plan)
    plan_of(parse_toml(text, options.plan), options.plan)
    write_whole(options.plan, text.encode())
    print(f"{options.plan}: {len(plan.sites)} sites, {plan.rounds.count} rounds of {plan.strategy.name}")


def _site(word: str) -> EnrolledSite:
    name, _, library = word.partition("=")
    if not re.fullmatch(NAME, name):
        raise InputError("--sites", "name", repr(name), "use lower-case letters, digits and hyphens")
    return EnrolledSite(name=name, library=library)
