"""The report of a selection: one self-contained page with every average as a picture."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

import numpy as np

from cryofed import __version__
from cryofed.jobs.job import ClassJob
from cryofed.jobs.programs import program
from cryofed.selection.pictures import data_uris
from cryofed.selection.policy import Selection
from cryofed.selection.table import ClassRow, class_rows, kept

PAGE = Path(__file__).with_name("report.template.html")
LOOK = PAGE.with_name("look.css")  # shared with the other reports


def write_report(job: ClassJob, selection: Selection, path: Path, *, model: str = "") -> None:
    """Write the page; it opens without a network, in light and dark."""
    path.write_text(report_html(job, selection, model=model), encoding="utf-8", errors="replace")


def report_html(job: ClassJob, selection: Selection, *, model: str = "") -> str:
    """The page as text: summary, scores, kept and rejected averages by score, views."""
    rows = list(class_rows(job, selection))
    pictures = data_uris(job.averages)
    score = np.nan_to_num(selection.score, nan=-1)
    order = np.argsort(-score, kind="stable").tolist()
    cards = {i: _card(rows[i], pictures[i], n) for n, i in enumerate(order)}
    groups = [("kept", True), ("rejected", False)]
    parts = {name: "".join(cards[i] for i in order if rows[i].kept is yes) for name, yes in groups}
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        look=LOOK.read_text(encoding="utf-8"),
        job=escape(job.name),
        facts=_facts(job, model),
        note=f'<p class="note">{escape(selection.note)}</p>' if selection.note else "",
        tiles=_tiles(job, selection),
        strip=_strip(rows, selection.cut),
        views=_views(rows, selection),
        kept=parts["kept"] or '<p class="none">No class is kept.</p>',
        rejected=parts["rejected"] or '<p class="none">No class is rejected.</p>',
        n_kept=int(selection.kept.sum()),
        n_rejected=int((~selection.kept).sum()),
        version=escape(__version__),
    )


def _card(row: ClassRow, picture: str, place: int) -> str:
    """One average; its numbers stand in attributes too, for sorting in the page."""
    score = f"{row.score:.2f}" if row.score is not None else "–"
    told = ""
    if row.particles is not None or row.resolution_angstrom is not None:
        particles = f"{row.particles:,}" if row.particles is not None else "–"
        resolution = f"{row.resolution_angstrom:.1f} Å" if row.resolution_angstrom is not None else "–"
        told = f"<span>{particles}</span><span>{resolution}</span>"
    unsure = (
        '<span class="unsure" title="The model is unsure: look at this one">unsure</span>'
        if row.unsure
        else ""
    )
    view = (
        f'<span class="view" title="Averages that show the same view">view {row.view}</span>'
        if row.view
        else ""
    )
    width = 0 if row.score is None else round(100 * row.score)
    return (
        f'<figure id="c{row.class_number}" class="{"k" if row.kept else "r"}" data-place="{place}"'
        f' data-number="{row.class_number}" data-particles="{row.particles or 0}"'
        f' data-resolution="{row.resolution_angstrom or 9999}" data-view="{row.view or 9999}">'
        f'<div class="pic"><img loading="lazy" src="{picture}" alt="class {row.class_number}">{unsure}</div>'
        f'<div class="bar"><i style="width:{width}%"></i></div>'
        f'<figcaption><b>{row.class_number}</b><span class="score">{score}</span>'
        f"{told}<em>{escape(row.reason or '')}</em>{view}</figcaption></figure>"
    )


def _facts(job: ClassJob, model: str) -> str:
    facts = [program(job.program).words, f"{len(job.classes)} classes", f"box {job.box} px"]
    if job.pixel_size_angstrom:
        facts.append(f"{job.pixel_size_angstrom:.3g} Å per pixel")
    if job.mask_diameter_angstrom:
        facts.append(f"mask {job.mask_diameter_angstrom:.0f} Å")
    if model:
        facts.append(f"model {model}")
    return " · ".join(map(escape, facts))


def _tiles(job: ClassJob, selection: Selection) -> str:
    """The numbers that matter, large: particles, classes, views, and what asks for a look."""
    particles = kept(job, selection)["particles"]
    views, all_views = selection.views
    tiles = []
    if particles is not None and job.total_particles is not None:
        tiles.append(_tile("particles kept", particles, job.total_particles))
    tiles.append(_tile("classes kept", int(selection.kept.sum()), len(selection)))
    tiles.append(_tile("views kept", views, all_views))
    unsure = int(selection.unsure.sum())
    tiles.append(f'<div class="tile plain"><strong>{unsure}</strong><span>unsure: worth a look</span></div>')
    return "".join(tiles)


def _tile(what: str, part: int, whole: int) -> str:
    percent = 100 * part / whole if whole else 0
    return (
        f'<div class="tile"><strong>{percent:.0f}<small> %</small></strong><span>{what}</span>'
        f'<div class="bar"><i style="width:{percent:.1f}%"></i></div>'
        f"<small>{part:,} of {whole:,}</small></div>"
    )


def _strip(rows: list[ClassRow], cut: float) -> str:
    """Every scored class as a dot along its score; the area tells the particles, the line is the cut."""
    scored = [row for row in rows if row.score is not None]
    most = max((row.particles or 1 for row in scored), default=1)
    columns: dict[int, list[ClassRow]] = {}
    for row in sorted(scored, key=lambda row: -(row.particles or 0)):
        columns.setdefault(round((row.score or 0) * 80), []).append(row)
    step = min(9.0, 66 / max(map(len, columns.values()), default=1))
    dots = []
    for column in columns.values():
        for level, row in enumerate(column):
            y = 40 + (-1) ** level * ((level + 1) // 2) * step
            radius = 2.5 + 5 * ((row.particles or most) / most) ** 0.5
            dots.append(
                f'<circle class="{"k" if row.kept else "r"}" cx="{_x(row.score or 0):.1f}" cy="{y:.1f}"'
                f' r="{radius:.1f}"><title>class {row.class_number}: {row.score:.2f}</title></circle>'
            )
    ticks = "".join(f'<text x="{_x(t):.0f}" y="98">{t:g}</text>' for t in (0, 0.25, 0.5, 0.75, 1))
    return (
        '<svg viewBox="0 0 1000 104" role="img" aria-label="scores of all classes">'
        f'<path class="axis" d="M{_x(0):.0f} 82H{_x(1):.0f}"/><path class="cut" d="M{_x(cut):.1f} 2V82"/>'
        f'{"".join(dots)}{ticks}<text class="cutname" x="{_x(cut):.0f}" y="98">cut {cut:.2f}</text></svg>'
    )


def _x(score: float) -> float:
    return 20 + 960 * score


def _views(rows: list[ClassRow], selection: Selection) -> str:
    """Groups of two or more averages of real particles that show the same view, and what became of them."""
    lines = []
    for number in range(1, int(selection.view.max(initial=0)) + 1):
        members = [row for row in rows if row.view == number]
        best = max((row.score or 0 for row in members), default=0)
        if best < selection.view_floor and not any(row.kept for row in members):
            continue
        members.sort(key=lambda row: -(row.score or 0))
        thumbs = "".join(
            f'<a href="#c{m.class_number}" class="{"k" if m.kept else "r"}" data-of="c{m.class_number}"'
            f' title="class {m.class_number}">{m.class_number}</a>'
            for m in members[:12]
        )
        more = f"<span>and {len(members) - 12} more</span>" if len(members) > 12 else ""
        count = sum(m.particles or 0 for m in members)
        averages = "1 average" if len(members) == 1 else f"{len(members)} averages"
        told = f"{count:,} particles" if count else averages
        wide = ' class="wide"' if len(members) > 3 else ""
        lost = "" if any(m.kept for m in members) else '<span class="lost">lost</span>'
        lines.append(f"<li{wide}><b>view {number}</b><small>{told}</small>{thumbs}{more}{lost}</li>")
    return "".join(lines) or "<li>No view of real particles.</li>"
