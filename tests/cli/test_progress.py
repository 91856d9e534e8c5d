"""A command that lasts says what it does now, on a terminal and nowhere else."""

from __future__ import annotations

import io
import re
import sys
import time

import pytest

from cryofed.cli import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, lasts_s: float) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "AFTER_S", 0.1)
    monkeypatch.setattr(progress, "EVERY_S", 0.02)
    with progress.steps(4) as shown:
        shown.now("reading")
        shown.now("scoring 200 classes")
        time.sleep(lasts_s)
    return stream.getvalue()


def test_after_a_while_the_step_is_shown_and_in_the_end_the_line_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = drawn(monkeypatch, Terminal(), 0.5)
    assert re.search(r"━+\S* .*scoring 200 classes.*0:00:0\d", text)
    assert "\x1b[2K" in text  # the line is taken away


def test_what_is_done_at_once_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, Terminal(), 0.0) == ""


def test_without_a_terminal_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, io.StringIO(), 0.3) == ""
