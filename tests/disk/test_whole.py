"""What a killed writer leaves beside a file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cryofed.disk.whole import write_whole


def test_what_a_killed_writer_left_is_taken_away_by_the_next(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "import os; print(os.getpid())"]
    number = int(subprocess.run(words, capture_output=True, check=True).stdout)
    dead, alive = (tmp_path / f".state.json.{pid}" for pid in (number, os.getppid()))
    other = tmp_path / ".state.json.backup"
    for left in (dead, alive, other):
        left.write_bytes(b"half")
    write_whole(tmp_path / "state.json", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["state.json", alive.name, other.name])
