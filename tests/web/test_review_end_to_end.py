"""The command itself, in a browser: open a simulated job, sort, slide, toggle by key, save, read back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import starfile

from cryofed.library.store import Library


@pytest.fixture
def command(relion_job: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`cryofed review JOB --library FILE` in a process of its own."""
    arguments = ["review", str(relion_job), "--library", str(tmp_path / "site.db"), "--no-browser"]
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")}
    with subprocess.Popen(
        [sys.executable, "-m", "cryofed", *arguments], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process
        process.terminate()


def test_a_selection_is_corrected_by_keyboard_and_relion_can_read_it(
    command: subprocess.Popen[str], page: Any, relion_job: Path, tmp_path: Path
) -> None:
    assert command.stdout is not None
    page.goto(command.stdout.readline().strip())
    page.wait_for_selector("body[data-ready]")
    page.select_option("#sort", "particles")
    page.eval_on_selector(
        "#threshold",
        "e => { e.value = 0.3; for (const n of ['input', 'change']) e.dispatchEvent(new Event(n)); }",
    )
    page.click("#filter >> text=All")
    page.focus(".tile")
    page.keyboard.press("End")
    page.keyboard.press("k")
    page.keyboard.press("Home")
    page.keyboard.press("x")
    kept = sorted(
        page.eval_on_selector_all(
            ".tile[aria-selected=true]", "tiles => tiles.map(t => Number(t.id.slice(6)))"
        )
    )
    particles = int(page.text_content("#kept-particles").replace(",", ""))
    page.keyboard.press("s")
    page.check("input[name=labels][value=hand]")
    page.click("#save-go")
    page.wait_for_selector("#saved:not([hidden]), #save-go:has-text('Save all the same')")
    if page.text_content("#save-go") == "Save all the same":  # it loses more than `--max-loss` allows
        page.click("#save-go")
    page.wait_for_selector("#saved:not([hidden])")
    page.close()
    out = relion_job.with_name("job010_reviewed")
    averages = starfile.read(out / "class_averages.star")
    assert sorted(int(name.split("@")[0]) for name in averages["rlnReferenceImage"]) == kept
    assert len(starfile.read(out / "particles.star")["particles"]) == particles
    with Library(tmp_path / "site.db") as library:
        (said,) = library.jobs()[0].labellings
    assert sorted(said.values[said.values == said.values].tolist()) == [0.0, 1.0]  # the two set by hand
    assert list((tmp_path / "state" / "cryofed" / "review").glob("*.json"))


def test_nothing_to_review_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    from cryofed.cli.main import main

    assert main(["review"]) == 1
    assert (
        capfd.readouterr().err == "error: nothing to review: give a job, or --library with a site's library\n"
    )
