"""Put tables between their marks in a page of docs/."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def write_between(page: Path, parts: Mapping[str, str]) -> None:
    """Replace what stands between `<!-- begin NAME -->` and `<!-- end NAME -->` by each part."""
    text = page.read_text(encoding="utf-8")
    for name, part in parts.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        first, last = text.index(begin) + len(begin), text.index(end)
        text = f"{text[:first]}\n{part}\n{text[last:]}"
    page.write_text(text, encoding="utf-8")
