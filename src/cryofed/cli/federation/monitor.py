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

    web.require()
    from cryofed.cli.federation.status import place_of
    from cryofed.web.monitor.routes import monitor_app
    from cryofed.web.server import serve

    home, plan = place_of(options.home)
    serve(monitor_app(home, plan), port=options.port, browser=not options.no_browser)
