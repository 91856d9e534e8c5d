"""Tables go between their marks, and what stands around them stays."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measuring.page import write_between


def test_only_what_stands_between_the_marks_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- begin a -->\nold\n<!-- end a -->\nafter\n<!-- begin b -->\n<!-- end b -->\n"
    )
    write_between(page, {"a": "new", "b": "other"})
    expected = (
        "before\n<!-- begin a -->\nnew\n<!-- end a -->\nafter\n<!-- begin b -->\nother\n<!-- end b -->\n"
    )
    assert page.read_text() == expected
