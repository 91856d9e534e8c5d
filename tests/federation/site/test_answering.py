"""A site answers orders with bytes, trusts none of them, and tells failures as codes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.federation.labelled_blobs import source

from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan, RoundRules, StrategyChoice
from cryofed.federation.agreement.rules import GuardRules, stricter
from cryofed.federation.site.answering import Site, answer
from cryofed.federation.wire.orders import EMPTY, Answer, order, pack_order, unpack_numbers
from cryofed.federation.wire.parcels import unpack_update
from cryofed.federation.wire.updates import Update
from cryofed.learning import learner
from cryofed.learning.learner import initial_vector, layout
from cryofed.learning.vector import vector_hash

PLAN = Plan(
    rounds=RoundRules(count=2),
    training=LocalTraining(steps=2, batch=16),
    sites=(EnrolledSite(name="alpha"), EnrolledSite(name="beta")),
)


def site(folder: Path | None = None, policy: GuardRules | None = None) -> Site:
    return Site(name="alpha", source=source(1), folder=folder, policy=policy or GuardRules())


def train_order(plan: Plan = PLAN, number: int = 1, channels: int = 1) -> bytes:
    vector = np.tile(initial_vector(0), channels)
    return pack_order(
        order("train", number, vector, plan_hash=plan.hash, start_hash="0" * 64, layout_hash=layout().hash)
    )


def trained(plan: Plan = PLAN, number: int = 1, channels: int = 1, at: Site | None = None) -> Update:
    got = answer(train_order(plan, number, channels), plan, at or site())
    assert not got.failure
    return unpack_update(got.data, channels * layout().size)


def test_an_update_is_the_change_that_training_made() -> None:
    update = trained()
    assert (update.site, update.round_number, update.examples, update.steps) == ("alpha", 1, 60, 2)
    assert 0 < np.linalg.norm(update.vector) < 10
    assert set(update.metrics) == {"auc", "brier", "held_out", "loss"}
    assert update.metrics["held_out"] == 40


def test_the_same_order_gives_the_same_bits_and_another_round_others() -> None:
    assert trained().vector.tobytes() == trained().vector.tobytes()
    assert trained().vector.tobytes() != trained(number=2).vector.tobytes()


def test_a_site_sends_no_metric_of_a_small_cell() -> None:
    strict = replace(PLAN, gate=replace(PLAN.gate, min_cell=21))  # 20 good and 20 bad are held out
    assert set(trained(strict).metrics) == {"loss"}


def test_the_sites_policy_wins_over_the_plan() -> None:
    quiet = trained(at=site(policy=GuardRules(send_metrics=False, max_norm=0.01)))
    assert quiet.metrics == {}
    assert np.linalg.norm(quiet.vector) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"plan_hash": "1" * 64}, "site-plan"),
        ({"layout_hash": "1" * 64}, "site-layout"),
        ({"model_hash": "1" * 64}, "site-hash"),
        ({"vector": EMPTY, "model_hash": vector_hash(EMPTY)}, "site-length"),
    ],
)
def test_an_order_that_does_not_fit_is_refused_with_a_code(
    tmp_path: Path, change: dict[str, object], code: str
) -> None:
    made = order(
        "train",
        1,
        initial_vector(0),
        plan_hash=PLAN.hash,
        start_hash="0" * 64,
        layout_hash=layout().hash,
    )
    got = answer(pack_order(replace(made, **change)), PLAN, site(tmp_path))  # type: ignore[arg-type]
    assert (got.failure, got.data) == (code, b"")
    assert (tmp_path / "site.log").read_text()


def test_a_site_takes_the_gates_two_models_and_no_third() -> None:
    def told(models: int) -> Answer:
        vector = np.tile(initial_vector(0), models)
        hashes = {"plan_hash": PLAN.hash, "start_hash": "0" * 64, "layout_hash": layout().hash}
        return answer(pack_order(order("evaluate", 1, vector, **hashes)), PLAN, site())

    assert not told(2).failure
    assert told(3).failure == "site-size"


def test_bytes_that_are_no_order_are_refused() -> None:
    assert answer(b"\x80\x04cposix\nsystem\n", PLAN, site()).failure == "site-format"


def test_too_few_averages_keep_the_site_at_home() -> None:
    got = answer(train_order(), PLAN, site(policy=GuardRules(min_examples=61)))
    assert got.failure == "guard-few-examples"


def test_an_order_that_comes_again_gets_the_same_bytes_without_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = answer(train_order(), PLAN, site(tmp_path))
    monkeypatch.setattr("cryofed.federation.site.answering.Trainer", None)  # would fail if it were called
    assert answer(train_order(), PLAN, site(tmp_path)) == first


def test_a_round_asked_again_after_a_crash_starts_from_the_memory_before_it(tmp_path: Path) -> None:
    plan = replace(PLAN, strategy=StrategyChoice(name="scaffold"))
    here = site(tmp_path)
    trained(plan, 1, 2, here)
    second = trained(plan, 2, 2, here)
    (tmp_path / "last.answer").unlink()  # so that it trains again
    assert trained(plan, 2, 2, here).vector.tobytes() == second.vector.tobytes()
    assert trained(plan, 2, 2).vector.tobytes() != second.vector.tobytes()  # the memory does count


def test_a_site_evaluates_each_model_it_is_sent() -> None:
    both = np.concatenate([initial_vector(0), initial_vector(1)])
    made = order("evaluate", 1, both, plan_hash=PLAN.hash, start_hash="0" * 64, layout_hash=layout().hash)
    numbers = unpack_numbers(answer(pack_order(made), PLAN, site()).data)
    assert numbers.values["0.held_out"] == numbers.values["1.held_out"] == 40
    own = [{n[2:]: v for n, v in numbers.values.items() if n.startswith(f"{i}.")} for i in (0, 1)]
    assert own[0] != own[1]


@pytest.mark.parametrize("task", ["evaluate", "statistics"])
def test_a_policy_without_metrics_answers_neither_gate_nor_statistics(task: str) -> None:
    vector = initial_vector(0) if task == "evaluate" else EMPTY
    made = order(task, 1, vector, plan_hash=PLAN.hash, start_hash="0" * 64, layout_hash=layout().hash)
    assert unpack_numbers(answer(pack_order(made), PLAN, site()).data).values
    quiet = site(policy=GuardRules(send_metrics=False))
    assert unpack_numbers(answer(pack_order(made), PLAN, quiet).data).values == {}


def test_metrics_travel_in_steps_of_what_one_average_can_change() -> None:
    made = order(
        "evaluate", 1, initial_vector(0), plan_hash=PLAN.hash, start_hash="0" * 64, layout_hash=layout().hash
    )
    values = unpack_numbers(answer(pack_order(made), PLAN, site()).data).values
    assert {"0.auc", "0.brier", "0.slope"} <= set(values)
    assert all(20 * value == pytest.approx(round(20 * value), abs=1e-4) for value in values.values())


def test_private_training_is_charged_once_even_when_asked_twice(tmp_path: Path) -> None:
    pytest.importorskip("opacus")
    pytest.importorskip("dp_accounting")
    policy = GuardRules(private=True, noise_multiplier=2.0, max_epsilon=100.0)
    update = trained(at=site(tmp_path, policy))
    again = trained(at=site(tmp_path, policy))
    assert again.vector.tobytes() == update.vector.tobytes()
    assert update.metrics == {}
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 1


def test_noised_training_is_noised_and_neither_charged_nor_silent(tmp_path: Path) -> None:
    pytest.importorskip("opacus")
    policy = GuardRules(noised=True, noise_multiplier=2.0)
    update = trained(at=site(tmp_path, policy))
    assert trained(at=site(tmp_path, policy)).vector.tobytes() == update.vector.tobytes()
    other = trained(at=site(tmp_path / "other", policy))  # the same averages by another site's key
    assert not np.allclose(other.vector, update.vector, atol=1e-5)
    assert not (tmp_path / "ledger.jsonl").exists()
    assert {"auc", "held_out"} <= set(update.metrics)
    assert "loss" not in update.metrics
    made = order(
        "evaluate", 1, initial_vector(0), plan_hash=PLAN.hash, start_hash="0" * 64, layout_hash=layout().hash
    )
    assert "0.auc" in unpack_numbers(answer(pack_order(made), PLAN, site(tmp_path, policy)).data).values


def test_whoever_asks_for_noise_gets_at_least_what_they_ask() -> None:
    loud, promised = GuardRules(noised=True, noise_multiplier=2.0), GuardRules(private=True, max_epsilon=20.0)
    both = stricter(loud, promised)
    assert (both.private, both.noised, both.noise_multiplier, both.max_epsilon) == (True, True, 2.0, 20.0)
    assert stricter(GuardRules(noise_multiplier=9.0), loud).noise_multiplier == 2.0  # 9 was a mere default


def test_a_site_trains_and_evaluates_where_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def seen(name: str) -> torch.device:
        asked.append(name)
        return torch.device("cpu")

    monkeypatch.setattr(learner, "device_of", seen)
    expected = trained().vector
    assert set(asked) == {"cpu"}
    asked.clear()
    assert trained(at=replace(site(), device="auto")).vector.tobytes() == expected.tobytes()
    assert set(asked) == {"auto"}


def test_a_device_that_is_not_there_costs_the_site_its_round_and_is_named_in_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    got = answer(train_order(), PLAN, replace(site(tmp_path), device="cuda"))
    assert got.failure == "site_error"
    assert "device: cuda: PyTorch sees none on this machine" in (tmp_path / "site.log").read_text()


def test_a_log_that_cannot_be_written_costs_no_round(tmp_path: Path) -> None:
    (tmp_path / "site.log").mkdir()
    assert answer(b"not an order", PLAN, site(tmp_path)).failure.startswith("site-")
    assert not answer(train_order(), PLAN, site(tmp_path)).failure
