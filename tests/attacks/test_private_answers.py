"""A coordinator asks models that were made for the purpose: what it may learn, and how often it may ask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.federation.labelled_blobs import labelled, source

from cryofed.disk.chain import read_chain
from cryofed.errors import GuardError, InputError
from cryofed.federation.agreement.plan import GateRules, LocalTraining, Plan
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.agreement.site_policy import AnswerRules, read_policy
from cryofed.federation.site.answering import InMemory, Site, answer
from cryofed.federation.site.evaluating import in_steps, told_metrics
from cryofed.federation.site.private_gate import GateNoise, bounded_auc, bounded_brier, private_answer
from cryofed.federation.site.questions import DAY_S, FILE, Question, count_question
from cryofed.federation.wire.orders import EMPTY, order, pack_order, unpack_numbers
from cryofed.federation.wire.parcels import unpack_update
from cryofed.learning.learner import initial_vector, layout
from cryofed.learning.vector import Vector

PLAN = Plan(training=LocalTraining(steps=3, batch=20), gate=GateRules(min_cell=1))
PRIVATE = GuardRules(private=True, max_epsilon=0.0)
ANSWERS = AnswerRules(min_cell=5)


def asked(task: str, vector: Vector, number: int = 1, start: str = "0" * 64) -> bytes:
    hashes = {"plan_hash": PLAN.hash, "start_hash": start, "layout_hash": layout().hash}
    return pack_order(order(task, number, vector, **hashes))


def values(data: bytes, site: Site) -> dict[str, float]:
    got = answer(data, PLAN, site)
    assert not got.failure
    return dict(unpack_numbers(got.data).values)


def models(*seeds: int) -> Vector:
    return np.concatenate([initial_vector(seed) for seed in seeds])


def test_a_private_site_tells_gate_and_statistics_nothing_and_no_count(tmp_path: Path) -> None:
    pytest.importorskip("opacus")
    pytest.importorskip("dp_accounting")
    site = Site(name="alpha", source=source(0), folder=tmp_path, policy=PRIVATE, answers=ANSWERS)
    assert values(asked("evaluate", models(0, 1)), site) == {}
    assert values(asked("statistics", EMPTY), site) == {}
    assert not (tmp_path / "ledger.jsonl").exists()
    got = answer(asked("train", models(0)), PLAN, site)
    update = unpack_update(got.data, layout().size)
    assert not update.metrics
    assert update.examples == 60 == 3 * 20  # what the plan says is drawn
    more = replace(site, source=source(0, n=200), folder=tmp_path / "more")
    assert unpack_update(answer(asked("train", models(0)), PLAN, more).data, layout().size).examples == 60


def test_a_private_gate_answer_is_noised_and_charged_once(tmp_path: Path) -> None:
    pytest.importorskip("dp_accounting")
    held_out = labelled(400, 3)
    clear = told_metrics(initial_vector(0), held_out, 1)
    rules = replace(PRIVATE, max_epsilon=4.0)
    noisy = AnswerRules(noise=2.0, max_models=10)
    site = Site(
        name="alpha", source=InMemory(held_out, held_out), folder=tmp_path, policy=rules, answers=noisy
    )
    told = values(asked("evaluate", models(0, 1)), site)
    assert set(told) == {"0.auc", "1.auc", "0.held_out", "1.held_out"}
    assert told["0.auc"] != clear["auc"]
    assert abs(told["0.auc"] - clear["auc"]) < 6 * 2 * 2**0.5 / 190  # six deviations
    assert values(asked("evaluate", models(0, 1)), site) == told
    (spend,) = read_chain(tmp_path / "ledger.jsonl")
    assert (spend["noise_multiplier"], spend["sampling_rate"], spend["steps"]) == (2.0, 1.0, 2)
    failures = [answer(asked("evaluate", models(0, seed)), PLAN, site).failure for seed in (2, 3, 4)]
    assert failures[-1] == "guard-budget"


def test_the_counts_of_a_private_answer_are_noised() -> None:
    good = np.arange(400) % 2 == 0
    seeds = [GateNoise(multiplier=2.0, min_cell=1, secret_seed=seed) for seed in range(20)]
    counts = [private_answer([good.astype(float)], good, "auc", noise)["0.held_out"] for noise in seeds]
    assert len(set(counts)) > 5
    assert np.std(np.array(counts) - 400) == pytest.approx(2 * 2**0.5, rel=0.5)


@given(st.integers(1, 40), st.data())
def test_one_average_more_changes_a_private_metric_by_at_most_one_over_the_cell(
    cell: int, data: st.DataObject
) -> None:
    n = data.draw(st.integers(1, 30))
    logits = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=n + 1, max_size=n + 1)), float)
    good = np.array(data.draw(st.lists(st.booleans(), min_size=n + 1, max_size=n + 1)))
    for metric in (bounded_auc, bounded_brier):
        change = metric(logits, good, cell) - metric(logits[:-1], good[:-1], cell)
        assert abs(change) <= 1 / cell + 1e-12


def test_a_private_answer_about_many_averages_is_near_the_truth_and_about_few_there_is_none() -> None:
    good = np.arange(20_000) % 2 == 0
    logits = good + np.random.default_rng(0).normal(size=len(good))
    noise = GateNoise(multiplier=5.0, min_cell=10, secret_seed=1)
    told = private_answer([logits], good, "auc", noise)
    assert told["0.auc"] == pytest.approx(0.76, abs=0.01)  # of two normal curves one deviation apart
    assert private_answer([logits[:8]], good[:8], "auc", replace(noise, multiplier=0.1)) == {}


def test_fifty_models_made_for_the_purpose_get_two_answers(tmp_path: Path) -> None:
    site = Site(name="alpha", source=source(0), folder=tmp_path, answers=ANSWERS)
    answers = [answer(asked("evaluate", models(seed)), PLAN, site) for seed in range(51)]
    assert [one.failure for one in answers] == ["", "", *["guard-queries"] * 49]
    assert answer(asked("evaluate", models(1)), PLAN, site).data == answers[1].data  # asked before
    assert len(read_chain(tmp_path / FILE)) == 2


def test_a_round_has_its_metrics_of_one_model(tmp_path: Path) -> None:
    site = Site(name="alpha", source=source(0), folder=tmp_path, answers=ANSWERS)
    told = [
        unpack_update(answer(asked("train", models(seed), number), PLAN, site).data, layout().size).metrics
        for number, seed in ((1, 0), (1, 1), (2, 1), (1, 2))
    ]
    assert ["auc" in metrics for metrics in told] == [True, False, True, False]


def test_other_campaigns_and_rounds_without_end_share_the_day(tmp_path: Path) -> None:
    rules = AnswerRules(max_queries_a_day=3)

    def count(number: int, now: float) -> bool:
        made = Question(campaign=f"{number}", task="train", round_number=1, models=(f"{number}",), data="d")
        return count_question(tmp_path, made, rules, now)

    assert [count(number, 0.0) for number in (0, 1, 2)] == [True] * 3
    with pytest.raises(GuardError, match="24 hours"):
        count(3, 10.0)
    assert count(3, DAY_S + 1.0)
    assert not count(3, DAY_S + 2.0)


def test_after_a_changed_label_the_same_question_counts_again(tmp_path: Path) -> None:
    asked_once = Question(campaign="c", task="evaluate", round_number=1, models=("m",), data="before")
    rules = AnswerRules(max_queries=1)
    assert count_question(tmp_path, asked_once, rules)
    with pytest.raises(GuardError, match="max_queries"):
        count_question(tmp_path, replace(asked_once, data="after"), rules)


def test_the_sites_own_cell_stands_over_the_plans(tmp_path: Path) -> None:
    few = Site(name="alpha", source=source(0), answers=AnswerRules(min_cell=21))  # 20 good and 20 bad
    assert values(asked("evaluate", models(0)), few) == {}
    told = values(asked("statistics", EMPTY), replace(few, answers=AnswerRules(min_cell=31)))
    assert set(told) == {"examples", "jobs", "projects"}  # 60, of which 30 good and 30 bad


def test_a_metric_is_no_finer_than_one_average_can_change_it() -> None:
    held_out = labelled(60, 5)
    told = told_metrics(initial_vector(0), held_out, 10, calibrate=True)
    for name, value in told.items():
        assert value * 30 == pytest.approx(round(value * 30), abs=1e-4), name
    assert in_steps(1.0, 7) == 1.0
    assert in_steps(0.5, 7) == pytest.approx(4 / 7, abs=1e-6)


def test_an_optimizer_that_nobody_knows_stops_the_site(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text('[work]\noptimizers = "adamw adan"\n')
    with pytest.raises(InputError, match="adan"):
        read_policy(tmp_path / "policy.toml")
