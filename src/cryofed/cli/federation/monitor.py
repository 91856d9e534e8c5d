"""A page in the browser that follows a federation, from its folder alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryofed.cli.numbers import port


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder, or the plan beside it."""
    parser.add_argument("home", type=Path, help="the federation's folder, or its PLAN.toml")
    parser.add_argument("--port", type=port, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, start no browser")


def run(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    from cryofed import web
    from cryofed.errors import InputError
    from cryofed.federation.agreement.plan_file import read_plan

    web.require()
    from cryofed.web.monitor.facts import find_plan
    from cryofed.web.monitor.routes import monitor_app
    from cryofed.web.server import serve

    home: Path = options.home
    plan = read_plan(home) if home.is_file() else find_plan(home)
    if home.is_file() and plan is not None:
        home = home.parent / plan.name
    if not (home / "releases").is_dir():
        raise InputError(
            home, "federation", "no releases there", "run it first: cryofed federation run PLAN.toml"
        )
    serve(monitor_app(home, plan), port=options.port, browser=not options.no_browser)
