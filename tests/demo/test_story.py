"""The demo, small: the same path, with little to learn from."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cryofed.cli.demo import MARK, _make_room
from cryofed.cli.main import main
from cryofed.demo.report import _apart, write_report
from cryofed.demo.story import Settings, Story, tell_story
from cryofed.library.store import Library

SMALL = Settings(sites=2, projects=6, unseen=3, rounds=2, steps=2, batch=32)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Story]:
    out = tmp_path_factory.mktemp("demo") / "demo"
    story = tell_story(out, SMALL, lambda what, share: None)
    write_report(out, story)
    return out, story


def test_every_round_is_measured_and_sends_one_vector_per_site(told: tuple[Path, Story]) -> None:
    _, story = told
    assert len(story.curve) == 1 + SMALL.rounds
    from cryofed.learning.learner import layout

    for sent in story.bytes_sent.values():
        # Float32, plus a header of under 4 kB in each round: nothing as large as an image fits beside it.
        assert 0 <= sent - SMALL.rounds * 4 * layout().size < SMALL.rounds * 4096


def test_unseen_molecules_are_in_no_library(told: tuple[Path, Story]) -> None:
    out, story = told
    sizes = []
    for path in story.world.libraries.values():
        with Library(path) as library:
            sizes.append(len(library.labelled()))
            assert len(library.labelled(held_out=True)) > 0
    assert sizes == [story.world.examples[name] for name in story.world.libraries]
    assert all(job.is_relative_to(out / "other-labs") for job in story.world.unseen_jobs)


def test_the_report_stands_alone_and_opens_with_what_was_learnt(told: tuple[Path, Story]) -> None:
    out, story = told
    page = (out / "report.html").read_text()
    assert re.search(r'<p class="lead">(.*?)</p>', page, re.S)[1].replace("&#x27;", "'") == story.sentence  # type: ignore[index]
    outside = re.findall(r'(?:src|href)="(?!data:|selection/report\.html|#)([^"]*)"', page)
    assert not outside
    assert (out / "selection" / "particles.star").is_file()


def test_the_sentence_follows_the_numbers(told: tuple[Path, Story]) -> None:
    story = replace(told[1], local={"a": 0.8, "b": 0.9}, pooled=0.95, curve=(0.5, 0.93))
    assert "better than any of them alone" in story.sentence
    assert "0.020 below training on all images" in story.sentence  # 0.93 - 0.95
    assert "as well as the best of them alone" in replace(story, curve=(0.5, 0.904)).sentence
    assert "no better than the best alone" in replace(story, curve=(0.5, 0.85)).sentence


@pytest.mark.parametrize("name", ["thesis.txt", "federation/thesis.txt"])
def test_a_demo_is_never_written_over_other_files(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("years of work")
    assert main(["demo", "--out", str(tmp_path), "--force"]) == 1
    assert "is no folder of `cryofed demo`" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "years of work"


def test_a_demo_that_was_killed_is_replaced_with_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    command = [sys.executable, "-m", "cryofed", "demo", "--out", out]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "  labs classify their particles (simulation)\n"
        deadline = time.monotonic() + 120
        while not (out / "labs").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert main(["demo", "--out", str(out)]) == 1
    assert "replace a demo with --force" in capsys.readouterr().err
    _make_room(out, force=True)
    assert [path.name for path in out.iterdir()] == [MARK]


def test_what_a_killed_demo_has_left_running_is_ended(tmp_path: Path) -> None:
    kit = tmp_path / "federation" / "flare" / "aggregator"
    kit.mkdir(parents=True)
    (tmp_path / MARK).touch()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", kit, "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as left:
        _make_room(tmp_path, force=True)
        left.wait(30)  # raises where it still runs
    assert [path.name for path in tmp_path.iterdir()] == [MARK]


def test_labels_of_close_levels_do_not_lie_on_each_other() -> None:
    # Sorted 0.90, 0.93, 0.94: the last two are 0.01 apart and need 0.02.
    assert _apart([0.94, 0.93, 0.90], 0.02) == pytest.approx([0.95, 0.93, 0.90])
