"""Say how far a federation is, from its folder alone."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryofed.errors import InputError

if TYPE_CHECKING:
    from cryofed.federation.agreement.plan import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder, or the plan beside it."""
    parser.add_argument("home", type=Path, help="the federation's folder, or its PLAN.toml")
    parser.add_argument("--json", action="store_true", help="print the same as JSON and nothing else")
    parser.add_argument("--watch", action="store_true", help="go on showing it, until Ctrl-C")


def run(options: argparse.Namespace) -> None:
    """Print the releases, then each campaign and its rounds."""
    home, plan = place_of(options.home)
    if options.watch:
        watch(home)
        return
    told = told_of(home, plan)
    print(json.dumps(told) if options.json else "\n".join(_lines(told, options.home)))


def place_of(given: Path) -> tuple[Path, Plan | None]:
    """The federation's folder, which may not be there before its first run, and its plan.

    Raises:
        InputError: neither a plan nor a federation.
    """
    from cryofed.federation.agreement.plan_file import read_plan
    from cryofed.web.monitor.facts import find_plan

    if given.is_file():
        plan: Plan | None = read_plan(given)
        return (given.parent / plan.name if plan else given), plan
    plan = find_plan(given)
    if plan is None and not (given / "releases").is_dir():
        raise InputError(
            given,
            "federation",
            "neither releases in it nor a plan beside it",
            "name its PLAN.toml: cryofed federation new PLAN.toml writes one",
        )
    return given, plan


def told_of(home: Path, plan: Plan | None) -> dict[str, Any]:
    """Releases and campaigns; `current` is None and both are empty before the first run."""
    from cryofed.disk.documents import read_document
    from cryofed.disk.lines import read_lines
    from cryofed.federation.releases.store import current_release, read_release, release_numbers
    from cryofed.federation.telling.campaign_report import asked
    from cryofed.federation.telling.verdict import verdict
    from cryofed.web.monitor.facts import campaigns, state

    current = current_release(home / "releases")
    releases: list[dict[str, Any]] = []
    for number in release_numbers(home / "releases"):
        release = read_release(home / "releases" / f"{number:04d}")
        origin = release.card.get("origin") or f"campaign {release.card.get('campaign')}"
        releases.append({"number": number, "hash": release.hash, "origin": origin})
    ran: list[dict[str, Any]] = []
    for number in campaigns(home):
        folder = home / "campaigns" / f"{number:04d}"
        rounds, gate = read_lines(folder / "rounds.jsonl"), folder / "gate.json"
        spoken = verdict(read_document(gate), asked(rounds)).record() if gate.exists() else None
        shown = folder / "attestation.json"
        proven = read_document(shown)["sites"] if shown.exists() else {}
        facts = {"number": number, "state": state(folder), "verdict": spoken, "rounds": rounds}
        ran.append(facts | {"attestation": proven})
    return {
        "name": plan.name if plan else home.name,
        "current": current.number if current else None,
        "releases": releases,
        "campaigns": ran,
        "plan": {
            "engine": plan.engine,
            "strategy": plan.strategy.name,
            "rounds": plan.rounds.count,
            "sites": list(plan.site_names),
        }
        if plan
        else None,
    }


def _lines(told: Mapping[str, Any], given: Path) -> Iterator[str]:
    """The same for a person."""
    plan = told["plan"]
    if told["current"] is None and plan:
        yield (
            f"{told['name']} has not run yet: {plan['rounds']} rounds of {plan['strategy']} over "
            f"{plan['engine']}, sites {', '.join(plan['sites']) or 'none yet'}"
        )
        yield f"run it: cryofed federation run {given if given.is_file() else 'PLAN.toml'}"
    for one in told["releases"]:
        mark = "*" if one["number"] == told["current"] else " "
        yield f"{mark} release {one['number']}  {one['hash'][:12]}  {one['origin']}"
    for campaign in told["campaigns"]:
        yield f"campaign {campaign['number']}: {len(campaign['rounds'])} rounds, {campaign['state']}"
        for site, proof in sorted(campaign["attestation"].items()):
            of = f" ({proof['platform']})" if proof["platform"] else ""
            yield f"  {site}: {proof['status']}{of}{f', {why}' if (why := proof['why']) else ''}"
        for line in campaign["rounds"]:
            gone = {**line["refused"], **line["lost"]}
            auc = "-" if line["auc"] is None else f"{line['auc']:.4f}"
            missing = ", ".join(f"{s} ({why})" for s, why in sorted(gone.items()))
            yield (
                f"  round {line['round']}: {len(line['accepted'])}/{len(line['asked'])} sites, "
                f"AUC {auc}, {line['seconds']:.1f} s{f', missing {missing}' if gone else ''}"
            )
        if campaign["verdict"]:
            spoken = campaign["verdict"]
            yield f"  {spoken['headline']}"
            yield from (f"    why: {reason}" for reason in spoken["reasons"])
            yield from (f"    try: {remedy}" for remedy in spoken["remedies"])


def watch(home: Path, seconds: float = 1.0) -> None:
    """Look every second, and show the federation anew where something has changed."""
    from rich.console import Console
    from rich.live import Live

    from cryofed.cli.federation.view import refusals_of, view
    from cryofed.web.monitor.budget import Budgets
    from cryofed.web.monitor.facts import version

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
