"""Say how far a federation is, from its folder alone."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from cryofed.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder, or the plan beside it."""
    parser.add_argument("home", type=Path, help="the federation's folder, or its PLAN.toml")
    parser.add_argument("--json", action="store_true", help="print the same as JSON and nothing else")
    parser.add_argument("--watch", action="store_true", help="go on showing it, until Ctrl-C")


def run(options: argparse.Namespace) -> None:
    """Print the releases, then each campaign and its rounds."""
    from cryofed.disk.documents import read_document
    from cryofed.disk.lines import read_lines
    from cryofed.federation.agreement.plan_file import read_plan
    from cryofed.federation.releases.store import current_release, read_release, release_numbers

    home: Path = options.home
    if home.is_file():
        home = home.parent / read_plan(home).name
    if options.watch:
        watch(home)
        return
    current = current_release(home / "releases")
    if current is None:
        raise InputError(home, "releases", "none", "run the plan first: cryofed federation run PLAN.toml")
    releases: list[dict[str, Any]] = []
    campaigns: list[dict[str, Any]] = []
    for number in release_numbers(home / "releases"):
        release = read_release(home / "releases" / f"{number:04d}")
        origin = release.card.get("origin") or f"campaign {release.card.get('campaign')}"
        releases.append({"number": number, "hash": release.hash, "origin": origin})
    for folder in sorted((home / "campaigns").glob("[0-9][0-9][0-9][0-9]")):
        lines = read_lines(folder / "rounds.jsonl")
        gate = folder / "gate.json"
        state = "stopped or running"
        if gate.exists():
            spoken = read_document(gate)
            state = "promoted" if spoken["promoted"] else "kept: " + "; ".join(spoken["stopped_by"])
        shown = folder / "attestation.json"
        proven = read_document(shown)["sites"] if shown.exists() else {}
        campaigns.append({"number": int(folder.name), "state": state, "rounds": lines, "attestation": proven})
    if options.json:
        print(json.dumps({"current": current.number, "releases": releases, "campaigns": campaigns}))
        return
    for one in releases:
        mark = "*" if one["number"] == current.number else " "
        print(f"{mark} release {one['number']}  {one['hash'][:12]}  {one['origin']}")
    for campaign in campaigns:
        print(f"campaign {campaign['number']}: {len(campaign['rounds'])} rounds, {campaign['state']}")
        for site, proof in sorted(campaign["attestation"].items()):
            of = f" ({proof['platform']})" if proof["platform"] else ""
            print(f"  {site}: {proof['status']}{of}{f', {why}' if (why := proof['why']) else ''}")
        for line in campaign["rounds"]:
            gone = {**line["refused"], **line["lost"]}
            auc = "-" if line["auc"] is None else f"{line['auc']:.4f}"
            missing = ", ".join(f"{s} ({why})" for s, why in sorted(gone.items()))
            print(
                f"  round {line['round']}: {len(line['accepted'])}/{len(line['asked'])} sites, "
                f"AUC {auc}, {line['seconds']:.1f} s{f', missing {missing}' if gone else ''}"
            )


def watch(home: Path, seconds: float = 1.0) -> None:
    """Look every second, and show the federation anew where something has changed."""
    from rich.console import Console
    from rich.live import Live

    from cryofed.cli.federation.view import refusals_of, view
    from cryofed.web.monitor.budget import Budgets
    from cryofed.web.monitor.facts import version

    if not home.is_dir():
        raise InputError(
            home, "federation", "no such folder", "run the plan first: cryofed federation run PLAN.toml"
        )
    budgets, seen = Budgets(), None
    with Live(console=Console(stderr=True), auto_refresh=False) as live:
        try:
            while True:
                refusals = refusals_of(home)
                privacy = budgets.of(home)
                now = (version(home, 0), privacy, [path.stat().st_size for path in refusals])
                if now != seen:
                    live.update(view(home, privacy), refresh=True)
                    seen = now
                time.sleep(seconds)
        except KeyboardInterrupt:
            return
