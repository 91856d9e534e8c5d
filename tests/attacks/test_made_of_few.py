"""A coordinator's plan must not ask for an update that is made of a few averages, or for work without end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.federation.labelled_blobs import source

from cryofed.errors import InputError
from cryofed.federation.agreement.plan import LocalTraining, Plan
from cryofed.federation.agreement.plan_file import read_plan
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.agreement.site_policy import WorkRules
from cryofed.federation.site.answering import Site, answer
from cryofed.federation.wire.orders import order, pack_order
from cryofed.learning.learner import initial_vector, layout


@pytest.mark.parametrize(
    ("steps", "batch", "failure"),
    [(1, 1, "guard-few-examples"), (4, 8, "guard-few-examples"), (3, 20, "")],
)
def test_what_counts_is_the_averages_that_the_batches_held(steps: int, batch: int, failure: str) -> None:
    """The site has 60 averages and sends nothing that is made of fewer than 50."""
    training = LocalTraining(steps=steps, batch=batch, optimizer="sgd", learning_rate=1e-3)
    site = Site(name="alpha", source=source(0), policy=GuardRules(min_examples=50))
    assert failure_of(training, site) == failure


def failure_of(training: LocalTraining, site: Site) -> str:
    plan = Plan(training=training)
    made = order(
        "train", 1, initial_vector(0), plan_hash=plan.hash, start_hash="0" * 64, layout_hash=layout().hash
    )
    return answer(pack_order(made), plan, site).failure


@pytest.mark.parametrize(("steps", "batch", "failure"), [(1, 1, "guard-few-examples"), (1, 32, "")])
def test_a_site_without_a_policy_file_sends_nothing_that_one_average_made(
    steps: int, batch: int, failure: str
) -> None:
    training = LocalTraining(steps=steps, batch=batch, optimizer="sgd", learning_rate=1e-3)
    assert failure_of(training, Site(name="alpha", source=source(0))) == failure


@pytest.mark.parametrize(
    ("asked", "allowed", "failure"),
    [
        ({"steps": 5}, {"max_steps": 4}, "guard-work"),
        ({"batch": 33}, {"max_batch": 32}, "guard-work"),
        ({"learning_rate": 0.01}, {"max_learning_rate": 0.009}, "guard-work"),
        ({"optimizer": "sgd"}, {"optimizers": "adamw"}, "guard-work"),
        ({"steps": 10_000}, {"max_steps": 10_000, "max_seconds": 1.0}, "guard-seconds"),
        ({}, {}, ""),
    ],
)
def test_a_plan_that_asks_for_more_work_than_the_policy_allows_gets_nothing(
    asked: dict[str, Any], allowed: dict[str, Any], failure: str
) -> None:
    training = LocalTraining(**({"steps": 2, "batch": 20} | asked))
    site = Site(name="alpha", source=source(0), work=WorkRules(**allowed))
    assert failure_of(training, site) == failure


@pytest.mark.parametrize(
    "text",
    [
        f"training.steps = 1{'0' * 300}",
        f"training.steps = 1{'0' * 5000}",
        f"training.batch = 1{'0' * 18}",
        f"rounds.min_updates = 1{'0' * 300}",
        f"rounds.sites_per_round = 1{'0' * 16}",
        f"rounds.deadline_s = 1{'0' * 400}",
        f"rounds.deadline_s = 1{'0' * 20}.0",
        "rounds.deadline_s = inf",
        "admission.max_norm = nan",
        "guard.noise_multiplier = 1e400",
        f"sites = {'[' * 5000}{']' * 5000}",
    ],
)
def test_a_number_without_sense_and_tables_without_end_are_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text + "\n")
    with pytest.raises(InputError) as caught:
        read_plan(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
