"""`cryofed library info|verify|merge|export`: look after a site's library."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryofed.library.store import Library


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, purpose in {
        "info": "what the library holds, project by project",
        "verify": "read everything and compare it with what was stored",
        "merge": "bring in the jobs and labels of other libraries",
        "export": "write averages, features and labels as plain files",
    }.items():
        child = verbs.add_parser(verb, help=purpose, description=purpose)
        child.add_argument("library", type=Path, help="the site's library")
        if verb in ("info", "verify"):
            child.add_argument("--json", action="store_true", help="print the same as JSON and nothing else")
        if verb == "merge":
            child.add_argument("others", metavar="OTHER", nargs="+", type=Path, help="library to bring in")
        if verb == "export":
            child.add_argument("--to", type=Path, required=True, help="new folder")


def run(options: argparse.Namespace) -> int | None:
    """Do what the verb says."""
    from cryofed.library import upkeep
    from cryofed.library.store import Library

    with Library(options.library, create=options.verb == "merge") as library:
        if options.verb == "info":
            _info(library, options.json)
        elif options.verb == "verify":
            problems = upkeep.verify(library)
            if options.json:
                print(json.dumps({"problems": problems}))
            else:
                print("\n".join(problems) or "the library is whole")
            return 1 if problems else None
        elif options.verb == "merge":
            for other in options.others:
                jobs, labels = upkeep.merge(library, other)
                print(f"{other}: {jobs} jobs and {labels} selections brought in")
        else:
            print(f"{upkeep.export(library, options.to)} averages written to {options.to}")
    return None


def _info(library: Library, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    projects = library.projects()
    if as_json:
        print(json.dumps({"library": str(library.path), "projects": [asdict(p) for p in projects]}))
        return
    table = Table(Column("project", overflow="fold"), title=str(library.path))
    for heading in ("held out", "jobs", "averages", "labelled", "good"):
        table.add_column(heading, justify="right")
    for p in projects:
        counts = (p.jobs, p.averages, p.labelled, p.good)
        table.add_row(p.name, "yes" if p.held_out else "", *map(str, counts))
    Console(stderr=True).print(table)
    train = sum(p.labelled for p in projects if not p.held_out)
    held = sum(p.labelled for p in projects if p.held_out)
    print(
        f"{len(projects)} projects, {sum(p.jobs for p in projects)} jobs,"
        f" {sum(p.averages for p in projects)} averages; {train} labelled to train on, {held} held out;"
        f" {library.path.stat().st_size / 1e6:.1f} MB"
    )
