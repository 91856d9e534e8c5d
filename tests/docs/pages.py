"""The project's pages as parsed Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
SHELLS = ("sh", "console", "bash", "")
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").glob("*.md")],
    key=str,
)


@dataclass(frozen=True, slots=True)
class Command:
    """A line that starts `cryofed`, without prompt, comment and what it is piped into."""

    page: Path
    line: int
    words: str


@cache
def tokens(page: Path) -> tuple[Token, ...]:
    """Every token of a page, also those inside of others."""
    found = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    return tuple(inner for token in found for inner in (token, *(token.children or ())))


def links(page: Path) -> Iterator[str]:
    """Targets of links and pictures, also of those that are written as HTML."""
    for token in tokens(page):
        if token.type in ("link_open", "image"):
            yield str(token.attrs.get("href") or token.attrs.get("src"))
        elif token.type in ("html_block", "html_inline"):
            yield from re.findall(r"""(?:src|srcset|href)=["']([^"']+)["']""", token.content)


def anchors(page: Path) -> set[str]:
    """What a link to a heading of this page may name: as GitHub makes it of the heading's words."""
    headings, found = tokens(page), set()
    for token, inner in pairwise(headings):
        if token.type == "heading_open":
            words = (one.content for one in inner.children or () if one.type in ("text", "code_inline"))
            plain = "".join(words)
            found.add(re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-"))
    return found


def blocks(page: Path, *languages: str) -> Iterator[Token]:
    """Fenced blocks in one of these languages."""
    yield from (token for token in tokens(page) if token.type == "fence" and token.info.strip() in languages)


def commands(page: Path) -> Iterator[Command]:
    """Every `cryofed` line of the page's shell blocks."""
    for block in blocks(page, *SHELLS):
        first = (block.map or [0])[0] + 2
        text = re.sub(r"\\\n\s*", " ", block.content)
        for number, line in enumerate(text.splitlines(), first):
            plain = re.sub(r"\s+#.*", "", line.strip().removeprefix("$ "))
            plain = re.split(r"\s(?:\||>|&&|2>)", plain)[0].removeprefix("nohup ").strip()
            plain = re.sub(r"\$[A-Z]+", "0" * 64, plain)  # a hash that the reader puts in
            if plain.startswith("cryofed "):
                yield Command(page, number, plain)


def typed(page: Path, start: str) -> Iterator[str]:
    """Every line of the page's shell blocks, and every piece of code within its text, that starts so."""
    lines = [line for block in blocks(page, *SHELLS) for line in block.content.splitlines()]
    pieces = [token.content for token in tokens(page) if token.type == "code_inline"]
    for text in (*lines, *pieces):
        plain = re.sub(r"\s+#.*", "", text.strip().removeprefix("$ "))
        if plain.startswith(start):
            yield plain
