"""The report of a campaign, made from its folder alone: `report.json` and one page without scripts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from cryofed.disk.documents import read_document
from cryofed.disk.lines import read_lines
from cryofed.disk.whole import write_whole
from cryofed.federation.telling.contribution import contributions
from cryofed.federation.telling.verdict import metric_name, verdict
from cryofed.selection.look import look_css

COLORS = tuple(f"var(--series-{k})" for k in range(8))  # of the palette that every page has
STYLE = """
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--line)}
th{color:var(--muted);font-weight:600}th:first-child,td:first-child{text-align:left}
.wide{overflow-x:auto}.key{display:flex;flex-wrap:wrap;gap:4px 16px;margin-top:8px}
.key i{display:inline-block;width:12px;height:12px;border-radius:6px;margin-right:6px}
.good{color:var(--kept)}.poor{color:var(--rejected)}
.wide svg{max-width:820px}.wide svg text{font-size:10px}
@media(max-width:700px){.wide svg text{font-size:18px}}  /* letters of one size on every screen */
.verdict{margin-bottom:14px}
.verdict h2{font-size:1.25rem;margin:0}.verdict p{margin:12px 0 4px;color:var(--muted)}
.verdict ul{margin:0;padding-left:20px}
"""


def write_report(folder: Path) -> Path:
    """Write both files into the campaign's folder; returns the page."""
    facts = gather(folder)
    write_whole(folder / "report.json", json.dumps(facts, indent=2).encode())
    write_whole(folder / "report.html", page(facts).encode())
    return folder / "report.html"


def gather(folder: Path) -> dict[str, Any]:
    """All that the campaign's files tell."""
    rounds = read_lines(folder / "rounds.jsonl")
    facts: dict[str, Any] = {"campaign": int(folder.name) if folder.name.isdigit() else 0, "rounds": rounds}
    for name in ("start", "gate", "cross_site", "statistics"):
        path = folder / f"{name}.json"
        facts[name] = read_document(path) if path.exists() else None
    facts["contributions"] = {
        site: {"share": c.share, "error": None if math.isnan(c.error) else c.error, "rounds": c.rounds}
        for site, c in contributions(rounds).items()
    }
    return facts


def asked(rounds: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every site that was asked in any round."""
    return sorted({site for report in rounds for site in report["asked"]})


def page(facts: Mapping[str, Any]) -> str:
    """The page of one campaign."""
    rounds, start = facts["rounds"], facts["start"] or {}
    title = f"{escape(str(start.get('name', 'Federation')))}, campaign {facts['campaign']}"
    how = f", {len(rounds)} rounds of {escape(rounds[-1]['strategy'])}" if rounds else ""
    subtitle = (
        f"plan {escape(str(start.get('plan', ''))[:12])}, from release {start.get('release', '?')}{how}"
    )
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{title}</title><style>{look_css()}{STYLE}</style></head><body><main>",
        f"<h1>{title}</h1><p class='facts'>{subtitle}</p>",
        _headline(facts),
        _tiles(facts),
        _panel(
            "Held-out AUC, site by site", chart(_series(rounds)), "The model that each round started from"
        ),
        _panel("At the gate", _gate(facts["gate"])),
        _panel("Rounds", _rounds(rounds)),
        _panel("Contribution", _contributions(facts["contributions"]), "Share of the step, not its worth"),
        _panel("Every model at every site", _matrix(facts["cross_site"]), "AUC"),
        _panel("What the sites have", _statistics(facts["statistics"]), "Cells too small are not told"),
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part)


def chart(series: Mapping[str, Sequence[tuple[float, float]]], width: int = 560, height: int = 250) -> str:
    """Lines as SVG; x counts rounds, y is a metric in [0, 1]."""
    points = [point for line in series.values() for point in line]
    if not points:
        return "<p class='none'>No site had enough held-out averages to measure.</p>"
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low = math.floor(min(y for _, y in points) * 20) / 20
    high = max(math.ceil(max(y for _, y in points) * 20) / 20, low + 0.05)

    def place(x: float, y: float) -> str:
        across = 50 + (x - left) / max(right - left, 1e-9) * (width - 70)
        return f"{across:.1f},{15 + (high - y) / (high - low) * (height - 45):.1f}"

    drawing = f"<svg viewBox='0 0 {width} {height}' role='img' aria-label='metric per round'>"
    out = [f"<div class='wide' tabindex='0'>{drawing}"]
    for step in range(6):
        value = low + (high - low) * step / 5
        y = place(left, value).split(",")[1]
        out.append(f"<line class='axis' x1='50' x2='{width - 20}' y1='{y}' y2='{y}'/>")
        out.append(f"<text x='24' y='{y}' dy='4'>{value:.2f}</text>")
    for x in sorted({round(left + (right - left) * k / 8) for k in range(9)}):
        out.append(f"<text x='{place(x, low).split(',')[0]}' y='{height - 6}'>{x:g}</text>")
    key = []
    for index, (name, line) in enumerate(series.items()):
        color, thick = COLORS[index % len(COLORS)], 4 if name == "mean" else 2
        path = " ".join(place(*point) for point in line)
        out.append(f"<polyline points='{path}' fill='none' style='stroke:{color}' stroke-width='{thick}'/>")
        for point in line if len(line) <= 40 else ():
            across, down = place(*point).split(",")
            out.append(f"<circle cx='{across}' cy='{down}' r='{thick + 1}' style='fill:{color}'/>")
        key.append(f"<span><i style='background:{color}'></i>{escape(name)}</span>")
    return "".join(out) + f"</svg></div><div class='key'>{''.join(key)}</div>"


def _headline(facts: Mapping[str, Any]) -> str:
    """What the gate decided, before anything else; why, and what to try, where it kept the release."""
    if facts["gate"] is None:
        return ""
    told = verdict(facts["gate"], asked(facts["rounds"]))
    kind = "good" if facts["gate"]["promoted"] else "poor"
    lists = "".join(
        f"<p>{name}</p><ul>{''.join(f'<li>{escape(one)}</li>' for one in lines)}</ul>"
        for name, lines in (("Why", told.reasons), ("What to try", told.remedies))
        if lines
    )
    return f"<div class='panel verdict'><h2 class='{kind}'>{escape(told.headline)}</h2>{lists}</div>"


def _tiles(facts: Mapping[str, Any]) -> str:
    gate, rounds = facts["gate"], facts["rounds"]
    tiles = []
    if gate is not None and gate["pooled_candidate"] is not None:
        pooled = f"pooled {metric_name(gate['metric'])}"
        tiles.append(_tile(f"{gate['pooled_candidate']:.4f}", pooled, f"from {gate['pooled_current']:.4f}"))
    sites = {site for report in rounds for site in report["accepted"]}
    missed = sum(len({**report["refused"], **report["lost"]}) for report in rounds)
    tiles.append(_tile(str(len(sites)), "sites sent updates", f"{missed} updates refused or lost"))
    received = sum(update["bytes"] for report in rounds for update in report["accepted"].values())
    seconds = sum(report["seconds"] for report in rounds)
    tiles.append(
        _tile(f"{received / 1e6:.1f}<small> MB</small>", "received", f"in {seconds:.0f} s of rounds")
    )
    hidden = [report["masked"]["collusion_threshold"] for report in rounds if "masked" in report]
    if hidden:
        meaning = "sites may join the aggregator before one update is theirs"
        tiles.append(_tile(str(min(hidden)), meaning, "masked: it saw only sums"))
    return f"<div class='tiles'>{''.join(tiles)}</div>"


def _tile(value: str, label: str, more: str) -> str:
    return f"<div class='tile'><strong>{value}</strong><span>{label}</span><br><small>{more}</small></div>"


def _panel(title: str, body: str, more: str = "") -> str:
    small = f" <small>{more}</small>" if more else ""
    return f"<div class='panel'><h2>{title}{small}</h2>{body}</div>" if body else ""


def _series(rounds: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    series: dict[str, list[tuple[float, float]]] = {"mean": []}
    for report in rounds:
        if report["auc"] is not None:
            series["mean"].append((report["round"], report["auc"]))
        for site, update in sorted(report["accepted"].items()):
            if "auc" in update["metrics"]:
                series.setdefault(site, []).append((report["round"], update["metrics"]["auc"]))
    few = len(series) <= 13  # more lines than that nobody can follow
    return {name: line for name, line in series.items() if line and (few or name == "mean")}


def _gate(gate: Mapping[str, Any] | None) -> str:
    if gate is None:
        return "<p class='none'>The gate has not decided yet.</p>"
    rows = [
        [name, f"{site['current']:.4f}", f"{site['candidate']:.4f}", site["held_out"]]
        for name, site in gate["sites"].items()
    ]
    return _table(["site", f"{metric_name(gate['metric'])} now", "candidate", "held-out averages"], rows)


def _rounds(rounds: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for report in rounds:
        gone = {**report["refused"], **report["lost"]}
        rows.append(
            [
                report["round"],
                f"{len(report['accepted'])} of {len(report['asked'])}",
                "–" if report["auc"] is None else f"{report['auc']:.4f}",
                f"{sum(update['bytes'] for update in report['accepted'].values()) / 1e6:.1f}",
                f"{report['seconds']:.1f}",
                ", ".join(f"{site}: {code}" for site, code in sorted(gone.items())),
            ]
        )
    return _table(["round", "updates", "mean AUC", "MB received", "seconds", "refused or lost"], rows)


def _contributions(shares: Mapping[str, Any]) -> str:
    if not shares:
        return ""
    rows = [
        [site, f"{c['share']:.3f}", "–" if c["error"] is None else f"± {c['error']:.3f}", c["rounds"]]
        for site, c in shares.items()
    ]
    return _table(["site", "share", "standard error", "rounds"], rows)


def _matrix(matrix: Mapping[str, Any] | None) -> str:
    if matrix is None:
        return ""
    rows = [[site, *(f"{value:.3f}" for value in line)] for site, line in sorted(matrix["auc"].items())]
    head = ["evaluated by \\ model of", *matrix["models"]]
    return _table(head, rows)


def _statistics(statistics: Mapping[str, Mapping[str, float]] | None) -> str:
    if statistics is None:
        return ""
    names = ("examples", "good", "jobs", "projects")
    rows = [
        [site, *(f"{cells[n]:g}" if n in cells else "–" for n in names)] for site, cells in statistics.items()
    ]
    return _table(["site", *names], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(c))}</td>" for c in row) + "</tr>" for row in rows)
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div class='wide'>{table}</div>"
