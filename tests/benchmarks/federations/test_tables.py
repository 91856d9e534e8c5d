"""The strategies' tables tell what was run, on how many seeds, and where a campaign stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch")

from benchmarks.federations.cells import Cell  # needs torch
from benchmarks.federations.tables import attack_table, liar_table, losses, shown, split_table

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
    head, _, row, *below = attack_table(FOUND).splitlines()
    names, fields = ([field.strip() for field in line.strip("|").split("|")] for line in (head, row))
    told = dict(zip(names, fields, strict=True))
    assert (told["strategy"], told["no attack"]) == ("krum", "0.8900 ± 0.0141 (2)")
    assert (told["sign-flip"], told["scaled"], told["nan"]) == ("not run", "-0.0050 (1)", "stops (1)")
    assert below[-1] == "- `krum`: 4 updates are too few"


def test_losses_beyond_the_line_are_named_with_the_site_that_lies() -> None:
    found = {
        Cell(strategy="robust"): {"final": 0.900},
        Cell(strategy="robust", attack="mirrored", liar=2): {"final": 0.880},
        Cell(strategy="robust", attack="scaled", liar=1): {"final": 0.896},
    }
    assert liar_table(found).endswith("2 runs -0.0120; beyond −0.01: -0.0200 (mirrored, site 2).")


def test_a_strategy_is_set_against_fedavg_in_the_same_world() -> None:
    worlds = [Cell(split=split, seed=seed) for split in ("iid", "mixed") for seed in (1, 2)]
    found = {world: {"final": 0.80 + 0.01 * number} for number, world in enumerate(worlds)}
    gains = (0.004, 0.002, -0.001, 0.003)
    found |= {
        replace(world, strategy="fedavgm"): {"final": found[world]["final"] + gain}
        for world, gain in zip(worlds, gains, strict=True)
    }
    # Mean 0.002; squares of the deviations 4, 0, 9, 1 (10⁻⁶): √(14 / 3 / 4) = 1.08.
    assert "| +0.0020 ± 0.0011, above in 3 of 4 |" in split_table(found)
