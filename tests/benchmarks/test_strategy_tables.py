"""The strategies' tables tell what was run, on how many seeds, and where a campaign stopped."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from benchmarks._cells import Cell  # needs torch
from benchmarks._strategy_tables import attack_table, losses, shown

FOUND = {
    Cell(strategy="krum", seed=1): {"final": 0.900, "fooled": 0.01},
    Cell(strategy="krum", seed=2): {"final": 0.880, "fooled": 0.03},
    Cell(strategy="krum", seed=2, attack="scaled"): {"final": 0.875},
    Cell(strategy="krum", seed=1, attack="nan"): {"stops": "krum: 4 updates are too few"},
}


def test_a_field_says_mean_deviation_seeds_and_stops() -> None:
    assert shown([0.01, 0.03], "+") == "+0.0200 ± 0.0141 (2)"  # √((0.01² + 0.01²) / 1)
    assert shown([0.5], stopped=2) == "0.5000 (1), stops (2)"
    assert shown([]) == "not run"


def test_an_attack_is_compared_on_the_seeds_that_both_have() -> None:
    assert losses(FOUND) == {"krum": {"scaled": pytest.approx(-0.005), "nan": None}}  # 0.875 − 0.880


def test_a_stopped_campaign_stands_in_its_field_and_its_reason_below() -> None:
    _, _, row, *below = attack_table(FOUND).splitlines()
    fields = [field.strip() for field in row.strip("|").split("|")]
    assert fields[:5] == ["krum", "0.8900 ± 0.0141 (2)", "not run", "not run", "-0.0050 (1)"]
    assert fields[7] == "stops (1)"
    assert below[-1] == "- `krum`: 4 updates are too few"
