"""The report of a selection: one self-contained page with every average as a picture."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template

import numpy as np

from cryofed import __version__
from cryofed.jobs.job import ClassJob
from cryofed.jobs.programs import program
from cryofed.selection.look import look_css
from cryofed.selection.making import Making
from cryofed.selection.pictures import data_uris
from cryofed.selection.policy import Selection
from cryofed.selection.report_strip import strip
from cryofed.selection.table import ClassRow, class_rows, kept, lost_views
from cryofed.selection.views import counted

PAGE = Path(__file__).with_name("report.template.html")
SCRIPT = PAGE.with_name("report.js")
BAR_SHARE = 0.3  # of a picture's side: the scale bar is the longest round length below it


def write_report(
    job: ClassJob, selection: Selection, path: Path, *, final: Path, making: Making | None = None
) -> None:
    """Write the page; it opens without a network. `final` is where the selection will lie."""
    text = report_html(job, selection, final=final, making=making)
    path.write_text(text, encoding="utf-8", errors="replace")


def report_html(
    job: ClassJob, selection: Selection, *, final: Path | None = None, making: Making | None = None
) -> str:
    """The page as text: numbers, what next, scores, kept and rejected averages, groups that look alike."""
    making = making or Making()
    rows = list(class_rows(job, selection))
    pictures = data_uris(job.averages)
    score = np.nan_to_num(selection.score, nan=-1)
    order = np.argsort(-score, kind="stable").tolist()
    cards = {i: _card(rows[i], pictures[i], n) for n, i in enumerate(order)}
    groups = [("kept", True), ("rejected", False)]
    parts = {name: "".join(cards[i] for i in order if rows[i].kept is yes) for name, yes in groups}
    length, share = scale_bar(job)
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        look=look_css(),
        script=SCRIPT.read_text(encoding="utf-8"),
        job=escape(job.name),
        facts=_facts(job, selection, making),
        note=_notes(selection, making),
        tiles=_tiles(job, selection),
        strip=strip(rows, selection.cut),
        views=_views(rows, selection),
        kept=parts["kept"] or '<p class="none">No class is kept.</p>',
        rejected=parts["rejected"] or '<p class="none">No class is rejected.</p>',
        n_kept=int(selection.kept.sum()),
        n_rejected=int((~selection.kept).sum()),
        next=_next(job, selection, making, final),
        scale=f"{100 * share:.2f}",
        scale_name=f"{length:g} Å" if length else "",
        scale_key=f"white bar: {length:g} Å · " if length else "",
        version=escape(__version__),
    )


def scale_bar(job: ClassJob) -> tuple[float, float]:
    """A round length in Å and its share of a picture's side; zeros where the pixel size is unknown."""
    if not job.pixel_size_angstrom:
        return 0.0, 0.0
    side = job.box * job.pixel_size_angstrom
    power = 10.0 ** np.floor(np.log10(side * BAR_SHARE))
    length = max(power * step for step in (1, 2, 5) if power * step <= side * BAR_SHARE)
    return float(length), float(length / side)


def _card(row: ClassRow, picture: str, place: int) -> str:
    """One average; its numbers stand in attributes too, for sorting in the page."""
    score = f"{row.score:.2f}" if row.score is not None else "–"
    particles = f"{row.particles:,}" if row.particles is not None else "–"
    resolution = f"{row.resolution_angstrom:.1f} Å" if row.resolution_angstrom is not None else "–"
    notice = ""
    if row.particles is not None or row.resolution_angstrom is not None:
        notice = f"<span>{particles}</span><span>{resolution}</span>"
    unsure = (
        '<span class="unsure" title="The model is unsure: look at this one">unsure</span>'
        if row.unsure
        else ""
    )
    width = 0 if row.score is None else round(100 * row.score)
    return (
        f'<figure id="c{row.class_number}" class="{"k" if row.kept else "r"}" data-place="{place}"'
        f' data-number="{row.class_number}" data-particles="{row.particles or 0}"'
        f' data-resolution="{row.resolution_angstrom or 9999}" data-view="{row.view or 9999}">'
        f'<button class="pic" type="button"><img loading="lazy" src="{picture}" alt="{_alt(row)}">'
        f'<i class="scale"></i></button>{unsure}'
        f'<div class="bar" aria-hidden="true"><i style="width:{width}%"></i></div>'
        f'<figcaption><b>{row.class_number}</b><span class="score">{score}</span>'
        f"{notice}<em>{escape(row.reason or '')}</em></figcaption></figure>"
    )


def _alt(row: ClassRow) -> str:
    """The average in words, for those who do not see it."""
    facts = [
        f"class {row.class_number}",
        "kept" if row.kept else "rejected",
        "not scored" if row.score is None else f"score {row.score:.2f}",
        "" if row.particles is None else f"{row.particles:,} particles",
        "" if row.resolution_angstrom is None else f"{row.resolution_angstrom:.1f} Å",
        row.reason or "",
        "model unsure" if row.unsure else "",
    ]
    return escape(", ".join(filter(None, facts)))


def _facts(job: ClassJob, selection: Selection, making: Making) -> str:
    """What was selected, when, by which model and which cut, a line each."""
    items = [program(job.program).words, f"{len(job.classes)} classes", f"box {job.box} px"]
    if job.pixel_size_angstrom:
        items.append(f"{job.pixel_size_angstrom:.3g} Å per pixel")
    if job.mask_diameter_angstrom:
        items.append(f"mask {job.mask_diameter_angstrom:.0f} Å")
    facts = [("Job", str(job.path.absolute())), ("What", " · ".join(items))]
    facts.append(("When", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")))
    if making.model:
        digest = f" · SHA-256 {making.model.sha256}" if making.model.sha256 else ""
        facts.append(("Model", f"{making.model.name}{digest}"))
        if making.model.learnt:
            facts.append(("Scores", making.model.learnt))
    facts.append(("Cut", f"{selection.cut:.2f} ({selection.policy})"))
    return "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)


def _notes(selection: Selection, making: Making) -> str:
    """What a person must know first."""
    notes = []
    if making.refused:
        notes.append(
            f"Not written: {making.refused}. Only this report was, so that you can look at the classes."
        )
    notes += [text for text in (selection.note, selection.doubt) if text and text not in making.refused]
    if lost := lost_views(selection):
        notes.append(lost.removeprefix("; ").capitalize())
    return "".join(f'<p class="note">{escape(note)}</p>' for note in notes)


def _next(job: ClassJob, selection: Selection, making: Making, final: Path | None) -> str:
    """How to go on, each with a text to copy: correct it, and the program's own steps if a class is kept."""
    command = making.review or f"cryofed review {shlex.quote(str(job.path.absolute()))}"
    steps = [("Look at the classes in the browser, correct and save", command)]
    if final is not None and not making.refused and selection.kept.any():
        steps += program(job.program).writer.next_steps(job, final)
    return "".join(
        f'<li><span id="s{n}">{escape(title)}</span><code>{escape(text)}</code>'
        f'<button type="button" class="copy" aria-describedby="s{n}">Copy</button></li>'
        for n, (title, text) in enumerate(steps)
    )


def _tiles(job: ClassJob, selection: Selection) -> str:
    """The numbers that matter, large: particles, classes, and what asks for a look."""
    particles = kept(job, selection)["particles"]
    tiles = []
    if particles is not None and job.total_particles is not None:
        tiles.append(_tile("of the particles kept", particles, job.total_particles))
    tiles.append(_tile("of the classes kept", int(selection.kept.sum()), len(selection)))
    unsure = int(selection.unsure.sum())
    tiles.append(f'<div class="tile plain"><strong>{unsure}</strong><span>unsure: worth a look</span></div>')
    return "".join(tiles)


def _tile(title: str, part: int, whole: int) -> str:
    percent = 100 * part / whole if whole else 0
    return (
        f'<div class="tile"><strong>{percent:.0f}<small> %</small></strong><span>{title}</span>'
        f'<div class="bar" aria-hidden="true"><i style="width:{percent:.1f}%"></i></div>'
        f"<small>{part:,} of {whole:,}</small></div>"
    )


def _views(rows: list[ClassRow], selection: Selection) -> str:
    """The groups that count, and what became of them."""
    lines = []
    for number in sorted(counted(selection.view, selection.score)):
        members = [row for row in rows if row.view == number]
        members.sort(key=lambda row: -(row.score or 0))
        thumbs = "".join(
            f'<a href="#c{m.class_number}" class="{"k" if m.kept else "r"}" data-of="c{m.class_number}"'
            f' aria-label="class {m.class_number}, {"kept" if m.kept else "rejected"}">{m.class_number}</a>'
            for m in members[:12]
        )
        more = f"<span>and {len(members) - 12} more</span>" if len(members) > 12 else ""
        count = sum(m.particles or 0 for m in members)
        averages = "1 class" if len(members) == 1 else f"{len(members)} classes"
        count_words = f"{count:,} particles" if count else averages
        wide = ' class="wide"' if len(members) > 3 else ""
        lost = "" if any(m.kept for m in members) else '<span class="lost">none kept</span>'
        lines.append(f"<li{wide}><b>group {number}</b><small>{count_words}</small>{thumbs}{more}{lost}</li>")
    return "".join(lines) or "<li>No group of real particles.</li>"
