"""A federation as tables for the terminal, from its folder alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryofed.federation.storage import read_lines

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

LAST = 12  # rounds shown


def view(home: Path) -> Group:
    """Releases, the last campaign's rounds and sites, its gate, and who was refused at the door."""
    from rich.console import Group
    from rich.text import Text

    folders = sorted((home / "campaigns").glob("[0-9][0-9][0-9][0-9]"))
    parts: list[Any] = [Text(line) for line in _releases(home)]
    if folders:
        rounds = read_lines(folders[-1] / "rounds.jsonl")
        parts.append(_rounds(int(folders[-1].name), rounds))
        if rounds:
            parts.append(_sites(rounds))
        parts += [Text(line) for line in (*_now(folders[-1]), *_gate(folders[-1]))]
    parts += [Text(line) for line in _refused(home)]
    return Group(*parts)


def _releases(home: Path) -> Iterator[str]:
    pointer = home / "releases" / "current"
    current = pointer.read_text().strip() if pointer.exists() else ""
    for card in sorted((home / "releases").glob("[0-9][0-9][0-9][0-9]/card.json")):
        told = json.loads(card.read_text())
        origin = (
            told.get("origin")
            or f"campaign {told.get('campaign')}, from release {told.get('parent_release')}"
        )
        mark = "*" if card.parent.name == current else " "
        yield f"{mark} release {told['release']}  {told['vector_sha256'][:12]}  {origin}"


def _rounds(number: int, rounds: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(title=f"campaign {number}: {len(rounds)} rounds", title_justify="left")
    for name in ("round", "sites", "AUC", "MB", "s"):
        table.add_column(name, justify="right")
    table.add_column("missing")
    for told in rounds[-LAST:]:
        size = sum(site["bytes"] for site in told["accepted"].values()) / 1e6
        gone = {**told["refused"], **told["lost"]}
        table.add_row(
            str(told["round"]),
            f"{len(told['accepted'])}/{len(told['asked'])}",
            "-" if told["auc"] is None else f"{told['auc']:.4f}",
            f"{size:.1f}",
            f"{told['seconds']:.1f}",
            ", ".join(f"{site} {why}" for site, why in sorted(gone.items())),
        )
    return table


def _sites(rounds: list[dict[str, Any]]) -> Table:
    """Each site's last update."""
    from rich.table import Table

    last: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for told in rounds:
        last |= {site: (told["round"], update) for site, update in told["accepted"].items()}
    metrics = sorted({name for _, update in last.values() for name in update["metrics"]})
    table = Table(title="sites, last update", title_justify="left")
    table.add_column("site")
    for name in ("round", "examples", "norm", *metrics):
        table.add_column(name, justify="right")
    for site, (number, update) in sorted(last.items()):
        values = [_shown(update["metrics"].get(name)) for name in metrics]
        table.add_row(site, str(number), str(update["examples"]), f"{update['norm']:.3f}", *values)
    return table


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")


def _now(folder: Path) -> Iterator[str]:
    """What happens in this moment."""
    if (folder / "gate.json").exists():
        return
    events = read_lines(folder / "events.jsonl")
    begun = [event for event in events if event["event"] == "round_started"]
    if begun:
        answered = [
            event
            for event in events[events.index(begun[-1]) :]
            if event["event"] in ("update_accepted", "update_refused", "site_lost")
        ]
        yield f"round {begun[-1]['round']}: {len(answered)} of {len(begun[-1]['asked'])} sites have answered"


def _gate(folder: Path) -> Iterator[str]:
    path = folder / "gate.json"
    if not path.exists():
        return
    told = json.loads(path.read_text())
    if told["promoted"]:
        before, after = told["pooled_current"], told["pooled_candidate"]
        yield f"gate: promoted, {told['metric']} {before:.4f} -> {after:.4f} on held-out projects"
    else:
        yield f"gate: kept the release: {'; '.join(told['stopped_by'])}"


def _refused(home: Path) -> Iterator[str]:
    for told in read_lines(home / "flare" / "refusals.jsonl")[-3:]:
        yield f"refused at the door {told['time']}: {told['reason']}"
