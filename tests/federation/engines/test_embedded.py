"""The embedded engine: worker processes change no bit, and a thousand sites are only more files."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.contract import toy
from tests.federation.labelled_blobs import source

from cryofed.disk.lines import read_lines
from cryofed.errors import InputError
from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.plan import (
    AdmissionRules,
    EnrolledSite,
    LocalTraining,
    Plan,
    RoundRules,
)
from cryofed.federation.engines.embedded import EmbeddedRules
from cryofed.federation.engines.embedded.carrier import Dropouts, embedded, run_plan
from cryofed.federation.site.answering import Site
from cryofed.federation.wire.orders import Answer, order, pack_order
from cryofed.learning.learner import initial_vector, layout


def test_two_workers_train_to_the_same_bits_as_one_process(tmp_path: Path) -> None:
    plan = Plan(
        rounds=RoundRules(count=2),
        training=LocalTraining(steps=2, batch=16),
        tables={"embedded": EmbeddedRules(workers=2)},
        sites=tuple(EnrolledSite(name=name) for name in ("alpha", "beta", "gamma")),
    )
    sites = {name: Site(name=name, source=source(seed, 40)) for seed, name in enumerate(plan.site_names)}
    found = []
    for inline in (True, False):
        folder = tmp_path / str(inline)
        with (
            open_rounds(folder, plan, layout(), initial_vector(0)) as rounds,
            embedded(plan, sites, inline=inline) as carrier,
        ):
            run_rounds(rounds, carrier)
            found.append(rounds.vector.tobytes())
    assert found[0] == found[1]


def test_a_thousand_sites_take_part_in_turns_and_some_drop_out(tmp_path: Path) -> None:
    names = tuple(f"site-{i}" for i in range(1000))
    plan = replace(
        toy.plan(names),
        rounds=RoundRules(count=3, sites_per_round=40, min_updates=20),
        tables={"embedded": EmbeddedRules(dropout=0.25)},
        admission=AdmissionRules(max_norm=1e6),  # a thousand toys strive for up to 1,000
    )
    sites = toy.toys(dict.fromkeys(names, "honest"), tmp_path)
    with (
        open_rounds(tmp_path / "run", plan, toy.LAYOUT, toy.START) as rounds,
        embedded(plan, sites, toy.answer, inline=True) as carrier,
    ):
        run_rounds(rounds, carrier)
    reports = read_lines(tmp_path / "run/rounds.jsonl")
    assert [len(report["asked"]) for report in reports] == [40, 40, 40]
    assert len({site for report in reports for site in report["asked"]}) > 100  # others every round
    gone = Counter(code for report in reports for code in report["lost"].values())
    assert set(gone) == {"dropout"}
    assert 15 <= gone["dropout"] <= 45  # 120 draws at 0.25: 30 ± 3.2 deviations of 4.7
    assert all("inner_products" not in report for report in reports if len(report["accepted"]) > 32)


def test_who_drops_out_depends_on_seed_round_and_attempt_alone() -> None:
    names = [f"site-{i}" for i in range(200)]
    plan = replace(toy.plan(tuple(names)), tables={"embedded": EmbeddedRules(dropout=0.3)})

    def gone(number: int, attempt: int = 1) -> set[str]:
        made = order(
            "train", number, toy.START, plan_hash=plan.hash, start_hash="0" * 64, layout_hash=toy.LAYOUT.hash
        )
        dropouts = Dropouts(plan)
        dropouts.note("round_started", {"attempt": attempt})
        return dropouts.of(pack_order(made), names)

    assert gone(1) == gone(1)
    assert gone(1) != gone(2)
    assert gone(1) != gone(1, attempt=2)
    assert 35 <= len(gone(1)) <= 85  # 200 draws at 0.3: 60 ± 4 deviations of 6.5


def run_with_dropouts(folder: Path, fatal: int = 0) -> list[dict[str, Any]]:
    """Ten sites of which 6 in 10 drop out and 6 must answer; stops before the `fatal`-th answer in all."""
    names = tuple(f"site-{i}" for i in range(10))
    plan = replace(
        toy.plan(names, count=2, min_updates=6, retries=9),
        tables={"embedded": EmbeddedRules(dropout=0.6)},
        seed=3,
    )
    seen = 0

    def function(data: bytes, plan: Plan, site: Site) -> Answer:
        nonlocal seen
        seen += 1
        if seen == fatal:
            raise KeyboardInterrupt
        return toy.answer(data, plan, site)

    sites = toy.toys(dict.fromkeys(names, "honest"), folder)
    with (
        embedded(plan, sites, function, inline=True) as carrier,
        open_rounds(
            folder / "run", plan, toy.LAYOUT, toy.START, hooks=[carrier.dropouts.note], patient=True
        ) as rounds,
    ):
        run_rounds(rounds, carrier)
    return read_lines(folder / "run/rounds.jsonl")


def test_a_retried_round_loses_other_sites_and_a_resumed_one_the_same(tmp_path: Path) -> None:
    whole = run_with_dropouts(tmp_path / "whole")
    # Both rounds needed several attempts, which with the same dropouts would have ended in an error.
    assert min(report["attempt"] for report in whole) >= 2
    asked = sum(len(report["accepted"]) for report in whole)
    for fatal in range(1, asked + 1):
        folder = tmp_path / f"stopped-{fatal}"
        with pytest.raises(KeyboardInterrupt):
            run_with_dropouts(folder, fatal)
        again = run_with_dropouts(folder)
        assert [r["model_after"] for r in again] == [r["model_after"] for r in whole]
        assert [r["attempt"] for r in again] == [r["attempt"] for r in whole]


@pytest.mark.parametrize(("library", "found"), [("", "alpha: none"), ("gone.db", "alpha: no file")])
def test_a_site_without_its_library_is_named(tmp_path: Path, library: str, found: str) -> None:
    sites = (EnrolledSite(name="alpha", library=library), EnrolledSite(name="beta", library=library))
    with pytest.raises(InputError, match=found):
        run_plan(Plan(sites=sites), tmp_path / "plan.toml", tmp_path)


def test_a_patient_round_waits_for_every_site_and_a_hanging_one_only_until_its_deadline(
    tmp_path: Path,
) -> None:
    # One worker, so that beta and gamma wait for alpha and each other; grace 0 would cut them off.
    names = ("alpha", "beta", "gamma")
    plan = replace(
        toy.plan(names, grace_s=0.0, deadline_s=5.0, count=2, min_updates=1),
        tables={"embedded": EmbeddedRules(workers=1)},
    )
    sites = toy.toys({"alpha": "hangs", "beta": "honest", "gamma": "honest"}, tmp_path, seconds=0.2)
    with (
        open_rounds(tmp_path / "run", plan, toy.LAYOUT, toy.START, patient=True) as rounds,
        embedded(plan, sites, toy.answer) as carrier,
    ):
        run_rounds(rounds, carrier)
    reports = read_lines(tmp_path / "run/rounds.jsonl")
    assert [sorted(report["accepted"]) for report in reports] == [list(names), ["beta", "gamma"]]
    assert reports[1]["lost"] == {"alpha": "late"}
