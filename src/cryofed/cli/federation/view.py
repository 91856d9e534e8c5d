"""A federation as tables for the terminal: what the monitor's page shows, from the same files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryofed.disk.lines import read_lines

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

LAST = 12  # rounds shown
Facts = Mapping[str, Any]


def view(home: Path, privacy: Mapping[str, Facts]) -> Group:
    """Releases, the last campaign's rounds and sites, gate, cross-site matrix, privacy, refusals at the door.

    Args:
        home: the federation's folder.
        privacy: by site whose ledger lies here, as `web.monitor.budget` tells it.
    """
    from rich.console import Group
    from rich.text import Text

    from cryofed.web.monitor.facts import facts, find_plan

    plan = find_plan(home)
    all_facts = facts(home, 0, plan)
    parts: list[Any] = [Text(line) for line in _releases(all_facts["releases"])]
    campaign = all_facts["campaign"]
    if campaign:
        parts.append(_rounds(campaign))
        if campaign["rounds"]:
            parts.append(_sites(campaign["rounds"]))
        if campaign["cross_site"]:
            parts.append(_matrix(campaign["cross_site"]))
        now = _verdict(campaign["verdict"]) if campaign["verdict"] else _live(campaign["live"])
        parts += [Text(line) for line in now]
    parts += [Text(line) for line in (*_privacy(all_facts["plan"], privacy), *_refused(home))]
    return Group(*parts)


def _releases(releases: Sequence[Facts]) -> Iterator[str]:
    """The first one first, each with the one that it came from."""
    numbers = {release["hash"]: release["number"] for release in releases}
    for release in releases:
        origin = release["origin"]
        if not origin:
            how = f", {release['rounds']} rounds of {release['strategy']}" if release["rounds"] else ""
            parent = numbers.get(release["parent"], "?")
            origin = f"from release {parent} by campaign {release['campaign']}{how}"
        mark = "*" if release["current"] else " "
        yield f"{mark} release {release['number']}  {release['hash'][:12]}  {origin}"


def _rounds(campaign: Facts) -> Table:
    rounds = campaign["rounds"]
    table = _table(
        f"campaign {campaign['campaign']}: {len(rounds)} rounds, {campaign['state']}",
        ["round", "sites", "AUC", "MB", "s"],
    )
    table.add_column("missing")
    for report in rounds[-LAST:]:
        size = sum(site["bytes"] for site in report["accepted"].values()) / 1e6
        gone = {**report["refused"], **report["lost"]}
        table.add_row(
            str(report["round"]),
            f"{len(report['accepted'])}/{len(report['asked'])}",
            "-" if report["auc"] is None else f"{report['auc']:.4f}",
            f"{size:.1f}",
            f"{report['seconds']:.1f}",
            ", ".join(f"{site} {why}" for site, why in sorted(gone.items())),
        )
    return table


def _sites(rounds: Sequence[Facts]) -> Table:
    """Each site's last update."""
    last: dict[str, tuple[int, Facts]] = {}
    for report in rounds:
        last |= {site: (report["round"], update) for site, update in report["accepted"].items()}
    metrics = sorted({name for _, update in last.values() for name in update["metrics"]})
    table = _table("sites, last update", ["site", "round", "examples", "norm", *metrics])
    for site, (number, update) in sorted(last.items()):
        values = [_shown(update["metrics"].get(name)) for name in metrics]
        table.add_row(site, str(number), *_own(update), *values)
    return table


def _own(update: Facts) -> tuple[str, str]:
    """Examples and norm of a site; under masks nobody knows them."""
    if "norm" not in update:
        return "masked", "masked"
    return str(update["examples"]), f"{update['norm']:.3f}"


def _matrix(matrix: Facts) -> Table:
    table = _table("AUC of each model at each site", ["site \\ model", *matrix["models"]])
    for site, row in sorted(matrix["auc"].items()):
        table.add_row(site, *(f"{value:.3f}" for value in row))
    return table


def _live(now: Facts | None) -> Iterator[str]:
    """What happens in this moment."""
    if now:
        answered = [site for site, how in now["sites"].items() if how != "asked"]
        yield f"round {now['round']}: {len(answered)} of {len(now['sites'])} sites have answered"


def _verdict(told: Facts) -> Iterator[str]:
    """The gate's decision, why, and what to try."""
    yield told["headline"]
    yield from (f"  why: {reason}" for reason in told["reasons"])
    yield from (f"  try: {remedy}" for remedy in told["remedies"])


def _privacy(plan: Facts | None, privacy: Mapping[str, Facts]) -> Iterator[str]:
    """Spent where the ledger lies here; a site of another machine keeps its own."""
    if plan and plan["private"]:
        yield f"privacy: the plan demands noise {plan['noise']:g} and at most epsilon {plan['maxEpsilon']:g}"
    for site, spent in sorted(privacy.items()):
        yield f"privacy of {site}: {spent['text']}"


def refusals_of(home: Path) -> list[Path]:
    """The files of the engines in which a federation's aggregator says whom it did not let in."""
    return sorted(home.glob("*/refusals.jsonl"))


def _refused(home: Path) -> Iterator[str]:
    refusals = [line for path in refusals_of(home) for line in read_lines(path)]
    for line in sorted(refusals, key=lambda line: str(line["time"]))[-3:]:
        yield f"refused at the door {line['time']}: {line['reason']}"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")


def _table(title: str, columns: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number == 0 and name.startswith("site") else "right")
    return table
