"""Let a site take part no more."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The plan, and the site."""
    parser.add_argument("plan", type=Path, help="PLAN.toml")
    parser.add_argument("name", help="of the site")
    parser.add_argument("--home", type=Path, help="the federation's folder (default: beside the plan)")


def run(options: argparse.Namespace) -> None:
    """Revoke; what runs hears of it at once."""
    from cryofed.federation.agreement.plan_file import read_plan
    from cryofed.federation.engines.deployment import machines_of

    plan = read_plan(options.plan)
    home = options.home or options.plan.parent / plan.name
    machines_of(plan.engine).revoke(plan, home, options.name)
    print(f"{options.name} is revoked: it gets no more orders, and its answers are not taken")
    print("its key never comes back; with a new one: cryofed federation approve PLAN.toml REQUEST --renew")
