"""What every engine must do with the same plan and sites; `harness.py` says how an engine plugs in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.contract import toy
from tests.contract.harness import HARNESSES as OWN
from tests.contract.harness import Embedded, Harness, flare_harnesses, found_harnesses

from cryofed.disk.lines import read_lines
from cryofed.federation.strategies.registry import STRATEGIES

HARNESSES = OWN + found_harnesses() + flare_harnesses()
NAMES = ("alpha", "beta", "gamma", "delta")
HONEST = dict.fromkeys(NAMES, "honest")
SURVIVABLE = [(engine, fault) for engine in HARNESSES for fault in toy.FAULTS if fault in engine.survives]
KILLED = [engine for engine in HARNESSES if engine.kills]


def name_of(value: object) -> str:
    return str(getattr(value, "name", value))


def waiting(engine: Harness, **rules: float) -> dict[str, float]:
    """How long a round waits for a silent site: the engine's own rules where it has any."""
    return getattr(engine, "waiting", rules)


@pytest.mark.parametrize("engine", HARNESSES, ids=name_of)
def test_the_same_plan_gives_the_same_bits_as_a_plain_loop(engine: Harness, tmp_path: Path) -> None:
    plan = toy.plan(NAMES)
    first = engine.run(plan, tmp_path / "first", HONEST)
    reference = Embedded(inline=True).run(plan, tmp_path / "reference", HONEST)
    assert first.vector.tobytes() == reference.vector.tobytes()
    assert [sorted(report["accepted"]) for report in first.reports] == [sorted(NAMES)] * 3
    # alpha 1, beta 2, delta 3, gamma 4; each round goes half of the way to the mean weighted by
    # 101..104 examples, 2.5049: three rounds reach 7/8 of it. Noise of 1e-3 stays below 0.01.
    np.testing.assert_allclose(first.vector, 2.5049 * 7 / 8, atol=0.01)


@pytest.mark.parametrize(("engine", "fault"), SURVIVABLE, ids=name_of)
def test_one_bad_site_costs_itself_its_rounds_and_nobody_else(
    engine: Harness, tmp_path: Path, fault: str
) -> None:
    # Only a site that is silent, or whose real answer may still come, is waited for.
    plan = toy.plan(NAMES, **waiting(engine, grace_s=5.0 if fault in ("hangs", "replays") else 40.0))
    got = engine.run(plan, tmp_path / "run", HONEST | {"gamma": fault})
    assert [report["round"] for report in got.reports] == [1, 2, 3]
    first = got.reports[0]
    assert sorted(first["accepted"]) == sorted(NAMES), (first["lost"], first["refused"])
    for report in got.reports[1:]:
        assert sorted(report["accepted"]) == ["alpha", "beta", "delta"]
        assert list({**report["refused"], **report["lost"]}) == ["gamma"]
    # The same as three rounds in which gamma answers only in the first.
    vector = toy.START
    for number, present in (
        (1, sorted(NAMES)),
        (2, ["alpha", "beta", "delta"]),
        (3, ["alpha", "beta", "delta"]),
    ):
        vector = _mean_round(vector, number, present)
    np.testing.assert_allclose(got.vector, vector, atol=1e-6)


@pytest.mark.parametrize("engine", [e for e in HARNESSES if "hangs" in e.survives], ids=name_of)
def test_a_round_closes_with_the_quorum_when_two_sites_fail(engine: Harness, tmp_path: Path) -> None:
    plan = toy.plan(NAMES, **waiting(engine, grace_s=5.0))
    got = engine.run(plan, tmp_path / engine.name, HONEST | {"gamma": "hangs", "beta": "exits"})
    assert [sorted(report["accepted"]) for report in got.reports[1:]] == [["alpha", "delta"]] * 2
    assert [sorted(report["lost"]) for report in got.reports[1:]] == [["beta", "gamma"]] * 2
    assert got.reports[1]["lost"]["gamma"] == "late"


# Round 2 of 4 sites: begin writes nothing; each of the 4 updates is 3 events (file, rename, folder), the
# checkpoint 3, the report 1: 16 a round after the 3 of the start. 20..35 is all of round 2.
@pytest.mark.parametrize("engine", KILLED, ids=name_of)
@pytest.mark.parametrize("event", [2, 3, 9, 19, 20, 26, 31, 32, 33, 34, 35, 36, 50, 51])
def test_killed_anywhere_and_resumed_gives_the_same_bits(engine: Harness, tmp_path: Path, event: int) -> None:
    plan = toy.plan(NAMES)
    whole = engine.run(plan, tmp_path / "whole", HONEST)
    engine.run_killed(plan, tmp_path / "killed", HONEST, event)
    assert (
        not (tmp_path / "killed" / "rounds.jsonl").exists()
        or len((tmp_path / "killed" / "rounds.jsonl").read_text().splitlines()) < 4
    )
    resumed = engine.run(plan, tmp_path / "killed", HONEST)
    assert resumed.vector.tobytes() == whole.vector.tobytes()
    assert [report["round"] for report in resumed.reports] == [1, 2, 3]
    assert [report["model_after"] for report in resumed.reports] == [r["model_after"] for r in whole.reports]


# Five sites (Krum needs 2f + 3) make 19 events a round after the 3 of the start: 32 is in round 2, where
# memory from round 1 counts. One site a round makes 7. Where sites keep memory, each writes it (3 events)
# before its update: 34 a round, and round 2 is 38..71; 39 is within the first site's memory, 40 just after
# it, 43 just after its update, 70 between checkpoint and report.
REMEMBERING = ("scaffold", "feddyn", "personal")
EVENTS = {"cyclic": [14]} | {name: [39, 40, 43, 58, 70] for name in REMEMBERING}


@pytest.mark.parametrize("engine", KILLED, ids=name_of)
@pytest.mark.parametrize(
    ("strategy", "event"), [(name, event) for name in sorted(STRATEGIES) for event in EVENTS.get(name, [32])]
)
def test_every_strategy_survives_a_killed_aggregator(
    engine: Harness, tmp_path: Path, strategy: str, event: int
) -> None:
    five = HONEST | {"epsilon": "honest"}
    plan = toy.plan(tuple(five), strategy=strategy)
    whole = engine.run(plan, tmp_path / "whole", five)
    engine.run_killed(plan, tmp_path / "killed", five, event)
    assert len(read_lines(tmp_path / "killed" / "rounds.jsonl")) == 1
    kept = [path.parts for path in (tmp_path / "whole" / "sites").glob("*/memory")]
    assert len(kept) == (5 if strategy in REMEMBERING else 0)
    assert engine.run(plan, tmp_path / "killed", five).vector.tobytes() == whole.vector.tobytes()


def _mean_round(vector: np.ndarray, number: int, present: list[str]) -> np.ndarray:
    """One round of FedAvg in float64, written out."""
    targets = {name: index + 1.0 for index, name in enumerate(sorted(NAMES))}
    total, weights = np.zeros(toy.LAYOUT.size), 0.0
    for name in present:
        noise = np.random.default_rng([number, int(targets[name])]).normal(size=toy.LAYOUT.size)
        weight = 100 + targets[name]
        total += weight * (0.5 * (targets[name] - vector) + 1e-3 * noise)
        weights += weight
    return vector + total / weights
