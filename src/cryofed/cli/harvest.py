"""`cryofed harvest PATH… --library FILE`: past selections become labels."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from cryofed.library.harvest.importing import Outcome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", type=Path, help="project, or a folder above projects"
    )
    parser.add_argument("--library", type=Path, required=True, help="the site's library; made where absent")
    parser.add_argument("--json", action="store_true", help="print every selection as JSON and nothing else")
    parser.add_argument("--dry-run", action="store_true", help="read everything, keep nothing")


def run(options: argparse.Namespace) -> None:
    """Harvest, and say what was used and what was not."""
    from rich.console import Console
    from rich.progress import track

    from cryofed.library.harvest import walk
    from cryofed.library.harvest.importing import SKIPPED, USED, harvest
    from cryofed.library.store import Library

    console = Console(stderr=True)
    with console.status("looking for projects"):
        selections = list(walk.find(options.paths))
    library = None
    if not options.dry_run or options.library.exists():
        library = Library(options.library, create=not options.dry_run)
    try:
        steps = harvest(selections, library, keep=not options.dry_run)
        size = len(selections)
        outcomes = list(
            track(
                steps,
                "reading selections",
                size,
                console=console,
                transient=True,
                disable=not console.is_terminal,
            )
        )
    finally:
        if library:
            library.close()
    if options.json:
        print(json.dumps({"selections": [{**asdict(o), "source": str(o.source)} for o in outcomes]}))
        return
    _show(console, outcomes)
    counts = Counter(outcome.what for outcome in outcomes)
    used = [outcome for outcome in outcomes if outcome.what == USED]
    print(
        f"{len(selections)} selections found, {counts[USED]} used"
        f" ({sum(o.classes for o in used)} class averages, {sum(o.kept for o in used)} kept by the expert),"
        f" {counts['known']} known already, {counts[SKIPPED]} skipped"
        + ("; nothing was kept (--dry-run)" if options.dry_run else "")
    )


def _show(console: Console, outcomes: list[Outcome]) -> None:
    from rich.table import Column, Table

    projects = Table(Column("project", overflow="fold"), title="Selections found")
    for heading in ("used", "known", "skipped", "averages", "kept"):
        projects.add_column(heading, justify="right")
    for name in sorted({outcome.project for outcome in outcomes}):
        mine = [outcome for outcome in outcomes if outcome.project == name]
        counts = Counter(outcome.what for outcome in mine)
        sums = (sum(o.classes for o in mine), sum(o.kept for o in mine))
        projects.add_row(name, *(str(counts[w]) for w in ("used", "known", "skipped")), *map(str, sums))
    console.print(projects)
    skipped = Table(Column("selection", overflow="fold"), "why it was skipped", title="Skipped")
    for outcome in outcomes:
        if outcome.what == "skipped":
            skipped.add_row(str(outcome.source), outcome.reason)
    if skipped.row_count:
        console.print(skipped)
