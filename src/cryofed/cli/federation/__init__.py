"""`cryofed federation ...`: found, run and watch a federation. One file per sub-command."""

from __future__ import annotations

import argparse
from importlib import import_module

# name: what it does. Its file is cryofed/cli/federation/<name>.py, with add_arguments and run.
SUBCOMMANDS = {
    "new": "write a commented plan",
    "provision": "found a federation of real sites: authority, aggregator, invitation",
    "approve": "sign a site's request after comparing its key fingerprint",
    "revoke": "let a site take part no more, at once",
    "start": "start the aggregator",
    "run": "run one campaign, or several, or go on with one that was stopped",
    "compare": "run plans or strategies side by side over seeds, beside pooled data and each site alone",
    "status": "say how far a federation is",
    "release": "list releases with their lineage, show one, promote one, or roll back",
    "monitor": "follow a federation in the browser",
    "stop": "stop the aggregator and all that it started",
}
FILES = {"run": "running"}  # `run` is this package's own function


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sub-commands, each from its own file."""
    commands = parser.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    for name, purpose in SUBCOMMANDS.items():
        child = commands.add_parser(name, help=purpose, description=purpose)
        module = import_module(f"cryofed.cli.federation.{FILES.get(name, name)}")
        module.add_arguments(child)
        child.set_defaults(run_subcommand=module.run)


def run(options: argparse.Namespace) -> int | None:
    """The sub-command that was asked for."""
    status: int | None = options.run_subcommand(options)
    return status
