"""The look of every page that opens from disk: one palette, shared with the pages that are served."""

from __future__ import annotations

from pathlib import Path

PALETTE = Path(__file__).with_name("palette.css")  # colours alone; the served pages link to it
LOOK = PALETTE.with_name("look.css")


def look_css() -> str:
    """The style sheet to put into a page."""
    return PALETTE.read_text(encoding="utf-8") + LOOK.read_text(encoding="utf-8")
