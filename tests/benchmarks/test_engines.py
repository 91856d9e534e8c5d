"""The benchmark of engines goes on where it was stopped, and keeps nothing that failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import engines

TOLD = [{"what": "seconds", "sites": 3, "numbers": 400_000, "value": 0.25}]


def test_a_part_is_measured_once_and_a_failed_one_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "CACHE", tmp_path)
    outcomes: list[list[dict[str, Any]] | None] = [None, TOLD]
    runs = list[Path]()

    def run(folder: Path) -> list[dict[str, Any]] | None:
        runs.append(folder)
        return outcomes[len(runs) - 1]

    assert [engines.kept("one", "code", run) for _ in range(3)] == [[], TOLD, TOLD]
    assert len(runs) == 2


def test_a_program_that_fails_or_takes_too_long_tells_nothing() -> None:
    words = [engines.sys.executable, "-c"]
    assert engines.within(60, [*words, "print(1)"]) == "1\n"
    assert engines.within(60, [*words, "print(1); raise SystemExit(3)"]) is None
    assert engines.within(1, [*words, "import time; time.sleep(60)"]) is None


def test_the_table_has_a_column_for_each_engine_and_a_dash_where_nothing_was_measured() -> None:
    lines = engines.table({"embedded": {}, "flower": engines.figures(TOLD)}).splitlines()
    assert lines[0] == "| | `embedded` | `flower` |"
    assert lines[2] == "| seconds of a round, 3 sites, 0.4 M numbers (1.6 MB) | – | 0.25 |"
