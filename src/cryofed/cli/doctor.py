"""Say whether this machine is ready, line by line, each with what to do."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.cli.progress import one_step

if TYPE_CHECKING:
    from cryofed.doctor.finding import Finding

MARKS = {"good": ("✓", "green"), "note": ("·", "yellow"), "bad": ("✗", "red")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to look at beside the machine itself."""
    parser.add_argument("--library", type=Path, help="a library too: does it open, is it whole?")
    parser.add_argument("--home", type=Path, help="a site's folder too: may it connect, does it reach?")
    parser.add_argument("--plan", type=Path, help="a plan too: can this machine be its aggregator?")
    parser.add_argument("--json", action="store_true", help="the same for programs, on standard output")


def run(options: argparse.Namespace) -> int:
    """Print the findings. Exit status 1 if one of them stops something."""
    from cryofed.doctor.finding import worst

    with one_step("looking at this machine"):
        findings = _findings(options)
    state = worst(findings)
    if options.json:
        record = {"state": state, "findings": [asdict(one) for one in findings]}
        json.dump(record, sys.stdout, indent=2, ensure_ascii=False)
        print()
    else:
        _print(findings)
    return 1 if state == "bad" else 0


def _findings(options: argparse.Namespace) -> list[Finding]:
    from cryofed.doctor import membership
    from cryofed.doctor.installation import installation
    from cryofed.doctor.machine import machine

    folder = options.home or (options.plan or options.library or Path("x")).parent
    findings = [*installation(), *machine(folder)]
    if options.library:
        findings.append(membership.library(options.library))
    if options.home:
        findings += membership.site(options.home)
    if options.plan:
        findings += membership.plan(options.plan)
    return findings


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False)
    width = max(len(one.subject) for one in findings)
    for one in findings:
        mark, color = MARKS[one.state]
        console.print(Text.assemble((mark, color), f" {one.subject:<{width}}  {one.found}"))
        if one.remedy:
            console.print(
                Text(f"  {'':<{width}}  → {one.remedy}", style="dim" if one.state == "note" else "")
            )
    counts = {state: sum(one.state == state for one in findings) for state in MARKS}
    if counts["bad"]:
        many = counts["bad"] > 1
        console.print(f"{counts['bad']} {'things stop' if many else 'thing stops'} something: see ✗")
    else:
        console.print("ready" + (f"; {counts['note']} things are worth knowing" if counts["note"] else ""))
