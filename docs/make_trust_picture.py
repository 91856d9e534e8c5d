"""Draw the picture of docs/trust.md, light and dark: `python docs/make_trust_picture.py`.

Three collaborators and the aggregation server, each in its secure container; what travels between them,
and who can see what in each profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

IMAGES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 1200, 1010
FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
PALETTES: Mapping[str, Mapping[str, str]] = {
    "light": {
        "bg": "#f3f4f5", "panel": "#ffffff", "raised": "#f3f4f5", "line": "#c9cfd5", "text": "#15191d",
        "muted": "#55606b", "safe": "#0a7866", "soft": "#d9f1ec", "seen": "#b23a22", "seen-soft": "#fbe4df",
        "up": "#1a5fd0", "down": "#8a5a00",
    },
    "dark": {
        "bg": "#0d0f11", "panel": "#14171a", "raised": "#1d2125", "line": "#39424a", "text": "#eceef0",
        "muted": "#a3adb8", "safe": "#3fd0b6", "soft": "#123a34", "seen": "#ff9a85", "seen-soft": "#3d1f19",
        "up": "#8fb8ff", "down": "#f3bd4e",
    },
}  # fmt: skip
# profile, what it needs, and per row who sees it: other sites, aggregator's operator, network
ROWS = ("images and labels", "one site's update", "sum of all updates", "the common model")
VIEWERS = ("other sites", "aggregator's operator", "the network")
PROFILES = (
    ("attested", "the chip proves which program runs in the container",
     ((0, 0, 0), (0, 0, 0), (1, 0, 0), (1, 0, 0))),
    ("masked", "no special chip; three sites or more",
     ((0, 0, 0), (0, 0, 0), (1, 1, 0), (1, 1, 0))),
    ("open", "partners who trust the aggregator",
     ((0, 0, 0), (0, 1, 0), (1, 1, 0), (1, 1, 0))),
)  # fmt: skip


class Sheet:
    """Collects SVG elements in one palette."""

    def __init__(self, palette: Mapping[str, str]) -> None:
        self.colors = palette
        self.parts: list[str] = []

    def box(
        self, x: float, y: float, w: float, h: float, fill: str, stroke: str, *, r: int = 12, more: str = ""
    ) -> None:
        """A rounded box."""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="{r}" fill="{self.colors[fill]}" '
            f'stroke="{self.colors[stroke]}" stroke-width="1.5" {more}/>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: int = 15,
        color: str = "text",
        bold: bool = False,
        anchor: str = "start",
    ) -> None:
        """One line of words."""
        weight = 650 if bold else 400
        self.parts.append(
            f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
            f'fill="{self.colors[color]}">{escape(words)}</text>'
        )

    def lock(self, x: float, y: float, color: str, scale: float = 1.0) -> None:
        """A closed padlock whose middle is here."""
        self.parts.append(
            f'<g transform="translate({x},{y}) scale({scale})">'
            f'<path d="M-5,-2 v-4 a5,5 0 0 1 10,0 v4" fill="none" stroke="{self.colors[color]}" stroke-width="2.4"/>'
            f'<rect x="-8" y="-2" width="16" height="12" rx="2.5" fill="{self.colors[color]}"/></g>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, color: str) -> None:
        """An arrow."""
        self.parts.append(
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{self.colors[color]}" stroke-width="3" '
            f'marker-end="url(#{color})"/>'
        )

    def document(self) -> str:
        """The SVG."""
        heads = "".join(
            f'<marker id="{name}" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="6" markerHeight="6" '
            f'orient="auto-start-reverse"><path d="M0,0 L10,5 L0,10 z" fill="{self.colors[name]}"/></marker>'
            for name in ("up", "down")
        )
        title = "Three sites and an aggregator, each in its secure container, joined by encrypted lines"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{FONT}" '
            f'role="img"><title>{title}</title><defs>{heads}</defs>'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{self.colors["bg"]}"/>'
            f"{''.join(self.parts)}</svg>\n"
        )


def container(sheet: Sheet, x: float, y: float, w: float, h: float) -> None:
    """The wall of a secure container, with its lock."""
    sheet.box(x, y, w, h, "soft", "safe", r=16, more='stroke-dasharray="7 5"')
    sheet.lock(x + 22, y + 20, "safe")
    sheet.text(x + 38, y + 25, "secure container", size=13, color="safe", bold=True)


def site(sheet: Sheet, x: float, y: float, name: str) -> None:
    """One collaborator."""
    w, h = 330, 204
    sheet.box(x, y, w, h, "panel", "line", r=18)
    sheet.text(x + w / 2, y + 27, name, size=18, bold=True, anchor="middle")
    container(sheet, x + 14, y + 40, w - 28, h - 54)
    left = x + 28
    sheet.box(left, y + 78, 136, 56, "panel", "line", r=8)
    sheet.text(left + 68, y + 102, "images, labels", size=14, anchor="middle")
    sheet.text(left + 68, y + 121, "never leave", size=13, color="safe", bold=True, anchor="middle")
    sheet.box(left + 148, y + 78, 126, 56, "panel", "line", r=8)
    sheet.text(left + 211, y + 102, "trains the", size=14, anchor="middle")
    sheet.text(left + 211, y + 121, "common model", size=14, anchor="middle")
    sheet.box(left, y + 144, 274, 36, "panel", "up", r=8)
    sheet.text(left + 137, y + 167, "guard: check, clip, noise, mask", size=14, anchor="middle")


def aggregator(sheet: Sheet) -> None:
    """The aggregation server."""
    x, y, w, h = 300, 22, 600, 196
    sheet.box(x, y, w, h, "panel", "line", r=18)
    sheet.text(x + w / 2, y + 28, "Aggregation server", size=19, bold=True, anchor="middle")
    container(sheet, x + 16, y + 42, w - 32, h - 58)
    for index, (top, below) in enumerate(
        (
            ("refuses what is not", "an update"),
            ("adds what is left:", "mean of the sites"),
            ("gate: nobody loses,", "or no release"),
        )
    ):
        left = x + 34 + index * 180
        sheet.box(left, y + 82, 168, 62, "panel", "line", r=8)
        sheet.text(left + 84, y + 108, top, size=14, anchor="middle")
        sheet.text(left + 84, y + 127, below, size=14, anchor="middle")
        if index:
            sheet.text(left - 6, y + 118, "›", size=18, color="muted", anchor="middle")
    sheet.text(
        x + w / 2, y + 166, "no image ever comes here", size=13, color="safe", bold=True, anchor="middle"
    )


def lines(sheet: Sheet, sites: tuple[float, float, float], top: float, bottom: float) -> None:
    """What travels, both ways, encrypted."""
    for x, inward in zip(sites, (380.0, 600.0, 820.0), strict=True):
        slant = (inward - x) / (top - bottom)  # pixels to the side for each downwards
        sheet.line(x - 16, bottom - 6, inward - 16, top + 8, "up")
        sheet.line(inward + 16, top + 6, x + 16, bottom - 8, "down")
        middle = (top + bottom) / 2
        at = inward + slant * (middle - top)
        sheet.parts.append(f'<circle cx="{at}" cy="{middle}" r="17" fill="{sheet.colors["bg"]}"/>')
        sheet.lock(at, middle - 1, "safe", 1.15)
    left = ("▲ one vector of numbers a", "round: the change of the model;", "in profile masked, under masks")
    right = ("▼ the common model,", "the same for every site,", "checked by its hash")
    for at, color, words in ((24, "up", left), (924, "down", right)):
        for index, line in enumerate(words):
            sheet.text(at, 110 + 20 * index, line, size=15, color=color, bold=not index)
    middle = (top + bottom) / 2
    sheet.text(634, middle - 2, "encrypted: mutual TLS 1.3,", size=13, color="muted")
    sheet.text(634, middle + 16, "keys made at each site", size=13, color="muted")


def profile(sheet: Sheet, x: float, y: float, row: tuple[str, str, tuple[tuple[int, ...], ...]]) -> None:
    """Who sees what, in words and signs, never by color alone."""
    name, needs, sees = row
    w, h = 372, 300
    sheet.box(x, y, w, h, "panel", "line", r=14)
    sheet.text(x + 18, y + 32, name, size=18, bold=True)
    sheet.text(x + 18, y + 54, needs, size=13, color="muted")
    columns = [x + 198, x + 268, x + 334]
    for at, viewer in zip(columns, VIEWERS, strict=True):
        for index, word in enumerate(viewer.split(" ", 1)):
            sheet.text(at, y + 84 + 15 * index, word, size=12, color="muted", anchor="middle")
    for index, (what, seen) in enumerate(zip(ROWS, sees, strict=True)):
        top = y + 124 + 42 * index
        sheet.text(x + 18, top + 19, what, size=14)
        for at, one in zip(columns, seen, strict=True):
            fill, color = ("seen-soft", "seen") if one else ("soft", "safe")
            sheet.box(at - 28, top, 56, 28, fill, color, r=7)
            sheet.text(
                at, top + 19, "sees" if one else "no", size=13, color=color, bold=True, anchor="middle"
            )


def picture(palette: Mapping[str, str]) -> str:
    """The whole picture."""
    sheet = Sheet(palette)
    centers = (190.0, 600.0, 1010.0)
    lines(sheet, centers, top=222, bottom=372)
    aggregator(sheet)
    for x, name in zip(centers, ("Collaborator A", "Collaborator B", "Collaborator C"), strict=True):
        site(sheet, x - 165, 374, name)
    sheet.text(24, 628, "Who can see what, beside the site itself", size=18, bold=True)
    for index, row in enumerate(PROFILES):
        profile(sheet, 24 + index * 390, 648, row)
    for index, words in enumerate(
        (
            "attested: the operator is kept out by the chip, and each site checks that before it sends. "
            "Whoever opens the machine's case may still break the chip.",
            "masked: the sum hides one site among the others, unless all the others show theirs. "
            "open: contracts and mutual TLS, nothing else.",
        )
    ):
        sheet.text(24, 972 + 20 * index, words, size=13, color="muted")
    return sheet.document()


def main() -> None:
    """Write both files."""
    for name, palette in PALETTES.items():
        path = IMAGES / f"trust-{name}.svg"
        path.write_text(picture(palette))
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
