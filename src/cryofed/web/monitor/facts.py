"""All that the monitor shows, read from a federation's folder: round reports, gate, releases, events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryofed.disk.documents import read_document
from cryofed.disk.lock import LOCK, is_held
from cryofed.errors import CryoFedError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.plan_file import read_plan
from cryofed.federation.releases.store import current_number, read_card, release_numbers
from cryofed.federation.telling.campaign_report import asked, gather
from cryofed.federation.telling.verdict import verdict

TAIL = 1 << 16  # bytes of the event log that tell of the round that runs now


def facts(home: Path, campaign: int = 0, plan: Plan | None = None) -> dict[str, Any]:
    """The federation and one of its campaigns, by number; 0 is the latest. Privacy is told apart."""
    numbers = campaigns(home)
    chosen = campaign if campaign in numbers else (numbers[-1] if numbers else 0)
    folder = home / "campaigns" / f"{chosen:04d}"
    return {
        "name": plan.name if plan else home.name,
        "campaigns": [{"number": n, "state": state(home / "campaigns" / f"{n:04d}")} for n in numbers],
        "campaign": _campaign(folder) if chosen else None,
        "releases": releases(home / "releases"),
        "plan": _plan(plan),
    }


def version(home: Path, campaign: int) -> str:
    """Changes whenever what `facts` tells may have changed."""
    numbers = campaigns(home)
    chosen = campaign if campaign in numbers else (numbers[-1] if numbers else 0)
    folder = home / "campaigns" / f"{chosen:04d}"
    files = [*folder.glob("*.json*"), home / "releases" / "current"]
    states = [(f.stat().st_mtime_ns, f.stat().st_size) for f in sorted(files) if f.exists()]
    return f"{hash((chosen, len(numbers), state(folder), *states)):x}"


def campaigns(home: Path) -> list[int]:
    """Numbers of the campaigns that were begun."""
    return sorted(int(path.name) for path in (home / "campaigns").glob("[0-9][0-9][0-9][0-9]"))


def state(folder: Path) -> str:
    """`promoted`, `kept` (the gate kept the release before), `running` or `stopped`."""
    gate = folder / "gate.json"
    if gate.exists():
        return "promoted" if read_document(gate).get("promoted") else "kept"
    return "running" if runs(folder.parents[1]) else "stopped"


def runs(home: Path) -> bool:
    """Whether a process runs a campaign of this federation: it, or its engine's folder, is held."""
    return any(is_held(place.parent) for place in (home / LOCK, *home.glob(f"*/{LOCK}")))


def releases(folder: Path) -> list[dict[str, Any]]:
    """Every release with its parent, the first one first; cards only, no weights."""
    current = current_number(folder) or 0
    shown = []
    for number in release_numbers(folder):
        card = read_card(folder / f"{number:04d}")
        fields = {
            name: card.get(name) for name in ("campaign", "strategy", "rounds", "origin", "gate", "parent")
        }
        shown.append({"number": number, "hash": card["vector_sha256"], "current": number == current} | fields)
    return shown


def find_plan(home: Path) -> Plan | None:
    """The plan beside the federation's folder that names it, if there is one."""
    for path in sorted(home.absolute().parent.glob("*.toml")):
        try:
            plan = read_plan(path)
        except CryoFedError:
            continue
        if plan.name == home.absolute().name:
            return plan
    return None


def _campaign(folder: Path) -> dict[str, Any]:
    report = gather(folder)
    gate = report["gate"]
    report["verdict"] = verdict(gate, asked(report["rounds"])).record() if gate else None
    rounds = [{k: v for k, v in r.items() if k != "inner_products"} for r in report["rounds"]]
    return report | {"rounds": rounds, "state": state(folder), "live": _live(folder / "events.jsonl")}


def _live(path: Path) -> dict[str, Any] | None:
    """The round that is open now: who was asked and what came of it so far."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        lines = file.read().decode("utf-8", "replace").splitlines()
    now: dict[str, Any] | None = None
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # cut at the start of the tail, or being written
        kind = event.get("event")
        if kind == "round_started":
            now = {
                "round": event["round"],
                "began": event["time"],
                "sites": dict.fromkeys(event["asked"], "asked"),
            }
        elif kind in ("round_closed", "finished", "gate"):
            now = None
        elif now and kind in ("update_accepted", "update_refused", "site_lost", "site_trained"):
            now["sites"][event["site"]] = kind.partition("_")[2] + (
                f": {event['reason']}" if "reason" in event else ""
            )
    return now


def _plan(plan: Plan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    guard = plan.guard
    return {
        "rounds": plan.rounds.count,
        "strategy": plan.strategy.name,
        "engine": plan.engine,
        "sites": [site.name for site in plan.sites],
        "private": guard.private,
        "maxEpsilon": guard.max_epsilon,
        "noise": guard.noise_multiplier,
        "codec": guard.codec,
        "mask": guard.mask,
    }
