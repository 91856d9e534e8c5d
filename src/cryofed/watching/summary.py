"""One page about everything that was selected; it opens from disk and reloads itself."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

from cryofed import __version__
from cryofed.disk.whole import write_whole
from cryofed.selection.look import look_css
from cryofed.watching.memory import Outcome, Record
from cryofed.watching.select_one import now

PAGE = Path(__file__).with_name("summary.template.html")
FILE = "index.html"
WORDS: dict[Outcome, str] = {
    "kept": "selected",
    "look": "please look",
    "broken": "unreadable",
    "same": "same files",
    "writing": "being written",
}


def write_summary(out: Path, project: Path, records: list[Record], trouble: str) -> None:
    """Replace the summary in the watch's folder."""
    page = summary_html(project, records, trouble)
    write_whole(out / FILE, page.encode("utf-8", "backslashreplace"))  # a folder's name need not be UTF-8


def summary_html(project: Path, records: list[Record], trouble: str) -> str:
    """The page as text, the latest classification first."""
    latest = sorted(records, key=lambda r: (r.when, r.name), reverse=True)
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        look=look_css(),
        project=escape(project.absolute().name),
        path=escape(str(project.absolute())),
        looked=_clock(now()),
        version=escape(__version__),
        note=f'<p class="note">{escape(trouble)}</p>' if trouble else "",
        tiles=_tiles(latest),
        rows="\n".join(_row(record) for record in latest)
        or '<tr><td colspan="7">No 2D classification has finished yet.</td></tr>',
    )


def _tiles(records: list[Record]) -> str:
    kept = [r for r in records if r.outcome == "kept"]
    particles = sum(r.particles_kept or 0 for r in kept)
    look = sum(r.outcome in ("look", "broken") for r in records)
    numbers = [
        (f"{len(kept):,}", "classifications selected"),
        (f"{sum(r.classes_kept for r in kept):,}", f"classes kept of {sum(r.classes for r in kept):,}"),
        (f"{particles:,}", "particles kept in all of them"),
        (f"{look:,}", "need a person"),
    ]
    return "".join(
        f'<div class="tile"><strong>{n}</strong><span>{label}</span></div>' for n, label in numbers
    )


def _row(r: Record) -> str:
    name = escape(r.name)
    if r.folder and r.outcome in ("kept", "look"):
        name = f'<a href="{quote(r.folder)}/report.html">{name}</a>'
    note = "".join(f"<small>{escape(text)}</small>" for text in (r.note, r.learnt) if text)
    decided = r.outcome in ("kept", "look")
    share = ""
    if decided and r.particles and r.particles_kept is not None:
        percent = f"{100 * r.particles_kept / r.particles:.0f}"
        share = f'{r.particles_kept:,} ({percent} %)<div class="bar"><i style="width:{percent}%"></i></div>'
    return (
        f'<tr><td>{name}{note}</td><td><span class="state {r.outcome}">{WORDS[r.outcome]}</span></td>'
        f'<td class="n" data-name="Classes kept">{f"{r.classes_kept} of {r.classes}" if decided else ""}</td>'
        f'<td data-name="Particles kept">{share}</td>'
        f'<td class="n" data-name="Groups lost">{r.views - r.views_kept if decided else ""}</td>'
        f'<td class="n" data-name="Unsure">{r.unsure if decided else ""}</td>'
        f'<td data-name="When">{_clock(r.when)}</td></tr>'
    )


def _clock(when: str) -> str:
    """`2026-11-23 15:04 UTC` of an ISO 8601 time."""
    return f"{when[:10]} {when[11:16]} UTC"
