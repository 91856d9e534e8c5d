"""Start the aggregator of a provisioned federation."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryofed.cli.progress import one_step


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The plan, and how to run."""
    parser.add_argument("plan", type=Path, help="PLAN.toml")
    parser.add_argument("--home", type=Path, help="the federation's folder (default: beside the plan)")
    parser.add_argument("--foreground", action="store_true", help="do not return; for systemd and containers")
    parser.add_argument("--systemd", type=Path, metavar="DIR", help="only write a systemd unit file into DIR")


def run(options: argparse.Namespace) -> None:
    """Start it, or write its unit file."""
    from cryofed.federation.agreement.plan_file import read_plan
    from cryofed.federation.engines.deployment import machines_of
    from cryofed.federation.engines.remote.units import write_aggregator_unit

    plan = read_plan(options.plan)
    machines, home = machines_of(plan.engine), options.home or options.plan.parent / plan.name
    if options.systemd:
        print(f"wrote {write_aggregator_unit(options.systemd, plan, options.plan, home)}")
        return
    if options.foreground:
        machines.start(plan, home, foreground=True)
        return
    with one_step("starting the aggregator"):
        machines.start(plan, home, foreground=False)
    print(f"the aggregator of {plan.name} listens on port {plan.network.port}")
