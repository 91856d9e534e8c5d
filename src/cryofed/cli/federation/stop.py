"""Stop the aggregator and everything that it started."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The plan."""
    parser.add_argument("plan", type=Path, help="PLAN.toml")
    parser.add_argument("--home", type=Path, help="the federation's folder (default: beside the plan)")


def run(options: argparse.Namespace) -> None:
    """Stop it; a campaign resumes with the next `run`."""
    from cryofed.federation.agreement.plan_file import read_plan
    from cryofed.federation.engines.deployment import machines_of

    plan = read_plan(options.plan)
    ended = machines_of(plan.engine).stop(plan, options.home or options.plan.parent / plan.name)
    print(f"processes ended: {ended}; a campaign resumes with: cryofed federation run")
