"""How segments hand over to each other."""

from __future__ import annotations

from pathlib import Path

from cryofed.federation.engines.remote.segments import NOBODY, give_way, must_give_way, write_note


def test_a_segment_goes_on_until_the_next_one_has_begun(tmp_path: Path) -> None:
    assert not must_give_way(tmp_path, "one")
    give_way(tmp_path, "one")
    assert not must_give_way(tmp_path, "one")
    give_way(tmp_path, "two")
    assert not must_give_way(tmp_path, "one")  # two was submitted; its processes are starting
    write_note(tmp_path, "two", "runs")
    assert must_give_way(tmp_path, "one")
    assert not must_give_way(tmp_path, "two")


def test_when_nobody_shall_follow_a_segment_stops_at_once(tmp_path: Path) -> None:
    give_way(tmp_path, NOBODY)
    assert must_give_way(tmp_path, "one")
