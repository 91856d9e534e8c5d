"""The report of a campaign, made from its folder alone: `report.json` and one page without scripts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from cryofed.federation.contribution import contributions
from cryofed.federation.storage import read_lines, write_whole

COLORS = ("#0b6e99", "#c1572b", "#3a7d44", "#8e5aa8", "#b08800", "#5b6770", "#a3324f", "#2f4b9b")
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b2430}
h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{padding:.25rem .6rem;text-align:right}
th:first-child,td:first-child{text-align:left}thead th{border-bottom:2px solid #1b2430}
td{border-bottom:1px solid #dde3e9}.yes{color:#2c6b37}.no{color:#a3324f}.quiet{color:#5b6770}
.wide{overflow-x:auto}
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
        facts[name] = json.loads(path.read_text()) if path.exists() else None
    facts["contributions"] = {
        site: {"share": c.share, "error": None if math.isnan(c.error) else c.error, "rounds": c.rounds}
        for site, c in contributions(rounds).items()
    }
    return facts


def page(facts: Mapping[str, Any]) -> str:
    """The page of one campaign."""
    rounds, start = facts["rounds"], facts["start"] or {}
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>Campaign {facts['campaign']}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(str(start.get('name', 'Federation')))}, campaign {facts['campaign']}</h1>",
        f"<p class='quiet'>plan {escape(str(start.get('plan', ''))[:12])}, from release "
        f"{start.get('release', '?')}, {len(rounds)} rounds"
        + (f" of {escape(rounds[-1]['strategy'])}" if rounds else "")
        + "</p>",
        _gate(facts["gate"]),
        "<h2>Held-out AUC, site by site</h2>",
        chart(_series(rounds)),
        "<p class='quiet'>Each point is the model that a round started from, measured by the site on its own "
        "held-out projects.</p>",
        "<h2>Rounds</h2><div class='wide'>",
        _rounds(rounds),
        "</div>",
        _contributions(facts["contributions"]),
        _matrix(facts["cross_site"]),
        _statistics(facts["statistics"]),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part)


def chart(series: Mapping[str, Sequence[tuple[float, float]]], width: int = 860, height: int = 300) -> str:
    """Lines as SVG; x counts rounds, y is a metric in [0, 1]."""
    points = [point for line in series.values() for point in line]
    if not points:
        return "<p class='quiet'>No site had enough held-out averages to measure.</p>"
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low = math.floor(min(y for _, y in points) * 20) / 20
    high = max(math.ceil(max(y for _, y in points) * 20) / 20, low + 0.05)

    def place(x: float, y: float) -> str:
        across = 50 + (x - left) / max(right - left, 1e-9) * (width - 200)
        return f"{across:.1f},{20 + (high - y) / (high - low) * (height - 50):.1f}"

    out = [f"<svg viewBox='0 0 {width} {height}' width='100%' role='img' aria-label='metric per round'>"]
    for step in range(6):
        value = low + (high - low) * step / 5
        y = place(left, value).split(",")[1]
        out.append(f"<line x1='50' x2='{width - 150}' y1='{y}' y2='{y}' stroke='#dde3e9'/>")
        out.append(f"<text x='44' y='{y}' text-anchor='end' dy='4' font-size='12'>{value:.3g}</text>")
    for x in sorted({round(left + (right - left) * k / 8) for k in range(9)}):
        across = place(x, low).split(",")[0]
        out.append(f"<text x='{across}' y='{height - 8}' text-anchor='middle' font-size='12'>{x:g}</text>")
    for index, (name, line) in enumerate(series.items()):
        color, thick = COLORS[index % len(COLORS)], 3 if name == "mean" else 1.5
        path = " ".join(place(x, y) for x, y in line)
        out.append(f"<polyline points='{path}' fill='none' stroke='{color}' stroke-width='{thick}'/>")
        if index < 14:
            row = 24 + 18 * index
            out.append(f"<circle cx='{width - 135}' cy='{row - 4}' r='5' fill='{color}'/>")
            out.append(f"<text x='{width - 124}' y='{row}' font-size='13'>{escape(name)}</text>")
    return "".join(out) + "</svg>"


def _series(rounds: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    series: dict[str, list[tuple[float, float]]] = {"mean": []}
    for report in rounds:
        if report["auc"] is not None:
            series["mean"].append((report["round"], report["auc"]))
        for site, told in sorted(report["accepted"].items()):
            if "auc" in told["metrics"]:
                series.setdefault(site, []).append((report["round"], told["metrics"]["auc"]))
    few = len(series) <= 13  # more lines than that nobody can follow
    return {name: line for name, line in series.items() if line and (few or name == "mean")}


def _gate(gate: Mapping[str, Any] | None) -> str:
    if gate is None:
        return "<p>The gate has not decided yet.</p>"
    if gate["promoted"]:
        verdict = f"<p class='yes'><b>Promoted.</b> Pooled {gate['metric']} "
        verdict += f"{gate['pooled_current']:.4f} → {gate['pooled_candidate']:.4f}.</p>"
    else:
        verdict = (
            f"<p class='no'><b>Kept the current release:</b> {escape('; '.join(gate['stopped_by']))}.</p>"
        )
    rows = [
        [name, f"{site['current']:.4f}", f"{site['candidate']:.4f}", site["held_out"]]
        for name, site in gate["sites"].items()
    ]
    return verdict + _table(["site", "current release", "candidate", "held-out averages"], rows)


def _rounds(rounds: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for report in rounds:
        gone = {**report["refused"], **report["lost"]}
        rows.append(
            [
                report["round"],
                f"{len(report['accepted'])} of {len(report['asked'])}",
                "–" if report["auc"] is None else f"{report['auc']:.4f}",
                f"{sum(told['bytes'] for told in report['accepted'].values()) / 1e6:.1f}",
                f"{report['seconds']:.1f}",
                ", ".join(f"{site}: {code}" for site, code in sorted(gone.items())),
            ]
        )
    return _table(["round", "updates", "mean AUC", "MB received", "seconds", "refused or lost"], rows)


def _contributions(told: Mapping[str, Any]) -> str:
    if not told:
        return ""
    rows = [
        [site, f"{c['share']:.3f}", "–" if c["error"] is None else f"± {c['error']:.3f}", c["rounds"]]
        for site, c in told.items()
    ]
    return "<h2>Contribution</h2>" + _table(["site", "share", "standard error", "rounds"], rows)


def _matrix(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return ""
    rows = [[site, *(f"{value:.3f}" for value in line)] for site, line in sorted(told["auc"].items())]
    head = ["evaluated by \\ model of", *told["models"]]
    return f"<h2>Every model at every site (AUC)</h2><div class='wide'>{_table(head, rows)}</div>"


def _statistics(told: Mapping[str, Mapping[str, float]] | None) -> str:
    if told is None:
        return ""
    names = ("examples", "good", "jobs", "projects")
    rows = [[site, *(f"{cells[n]:g}" if n in cells else "–" for n in names)] for site, cells in told.items()]
    return "<h2>What the sites have</h2>" + _table(["site", *names], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(c))}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
