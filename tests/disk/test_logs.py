"""A log stays small, and a place that cannot be written stops nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryofed.disk import logs
from cryofed.disk.logs import open_log, write_log


def test_a_full_log_is_put_aside_and_only_a_few_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LARGEST", 1000)
    for number in range(200):
        write_log(tmp_path / "site.log", f"line {number:04d} " + "x" * 40)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site.log", "site.log.1", "site.log.2"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert "line 0199" in (tmp_path / "site.log").read_text()


def test_a_log_that_cannot_be_written_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    write_log(tmp_path / "file" / "site.log", "lost")
    (tmp_path / "site.log").mkdir()
    write_log(tmp_path / "site.log", "lost")


def test_a_disk_that_is_full_loses_the_words_and_nothing_else() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    write_log(Path("/dev/full"), "lost")


def test_what_a_child_writes_to_is_put_aside_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LARGEST", 10)
    for text in (b"first, long enough", b"second"):
        with open_log(tmp_path / "learner.log") as file:
            file.write(text)
    assert (tmp_path / "learner.log").read_bytes() == b"second"
    assert (tmp_path / "learner.log.1").read_bytes() == b"first, long enough"
    assert (tmp_path / "learner.log").stat().st_mode & 0o077 == 0
