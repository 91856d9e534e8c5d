"""`cryofed library info|verify|merge|export`: look after a site's library."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.cli.as_json import add_json, print_json
from cryofed.cli.progress import one_step

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
        add_json(child)
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
            with one_step("reading every average"):
                problems = upkeep.verify(library)
            if options.json:
                print_json({"problems": problems})
            else:
                print("\n".join(problems) or "the library is whole")
            return 1 if problems else None
        elif options.verb == "merge":
            for other in options.others:
                with one_step(f"bringing in {other}"):
                    jobs, labels = upkeep.merge(library, other)
                if options.json:
                    print_json({"library": other, "jobs": jobs, "selections": labels})
                else:
                    print(f"{other}: {jobs} jobs and {labels} selections brought in")
        else:
            with one_step("writing averages"):
                written = upkeep.export(library, options.to)
            if options.json:
                print_json({"averages": written, "folder": options.to})
            else:
                print(f"{written} averages written to {options.to}")
    return None


def _info(library: Library, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    projects = library.projects()
    if as_json:
        print_json({"library": library.path, "projects": [asdict(p) for p in projects]})
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
