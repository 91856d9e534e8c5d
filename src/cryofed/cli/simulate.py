"""`cryofed simulate`: class averages, jobs and whole sites with known truth."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `cryofed simulate`."""
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    sites = what.add_parser("sites", help="sites with finished, labelled 2D classifications")
    sites.add_argument("--sites", type=_count, default=3, help="number of sites (default 3)")
    sites.add_argument("--jobs", type=_count, default=6, help="2D classifications of each site (default 6)")
    sites.add_argument(
        "--jobs-per-project", type=_count, default=2, help="classifications of one molecule (default 2)"
    )
    sites.add_argument("--cryosparc", type=int, default=0, help="how many of the sites use CryoSPARC")
    _shared(sites)


def _shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="new folder")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same files (default 0)")
    parser.add_argument(
        "--workers", type=_count, default=os.cpu_count() or 1, help="processes (default: one a core)"
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def run(options: argparse.Namespace) -> None:
    """Make what was asked for, with a progress bar on standard error."""
    {"sites": _sites}[options.what](options)


def _sites(options: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.progress import track

    from cryofed.simulation.sites import write_sites

    console = Console(stderr=True)
    projects = options.sites * -(-options.jobs // options.jobs_per_project)
    steps = iter(track(range(projects), "Simulating projects", console=console, transient=True))
    next(steps, None)
    folders = write_sites(
        options.out,
        options.sites,
        options.jobs,
        options.seed,
        jobs_per_project=options.jobs_per_project,
        cryosparc=options.cryosparc,
        workers=options.workers,
        progress=lambda: next(steps, None),
    )
    for folder in folders:
        print(folder)
