"""Plans side by side: the path of a real run, and a table of what was reached at what cost."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan, RoundRules, StrategyChoice
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.site.answering import InMemory, Site
from cryofed.federation.telling.comparison import Course, Row, alone, follow, mean_and_spread, table
from cryofed.learning.learner import evaluate, initial_vector, layout
from cryofed.library.labelled import Labelled
from cryofed.scoring.features import FEATURES

TRAINING = LocalTraining(steps=3, batch=8, learning_rate=3e-3, augment=False)


def blobs(n: int, seed: int) -> Labelled:
    """Good averages have a bright middle, bad ones a bright corner."""
    rng = np.random.default_rng(seed)
    good = np.arange(n) % 2 == 0
    images = rng.standard_normal((n, 64, 64)).astype(np.float32)
    images[good, 24:40, 24:40] += 3
    images[~good, 10:20, 10:20] += 3
    return Labelled(
        images=images.astype(np.float16),
        features=np.full((n, len(FEATURES)), np.nan, np.float32),
        target=good.astype(np.float32),
        good=good,
        reason=np.full(n, -1, np.int8),
        job=np.zeros(n, np.int64),
        project=np.zeros(n, np.int64),
    )


def sites(folder: Path) -> dict[str, Site]:
    return {
        name: Site(
            name=name,
            source=InMemory(train=blobs(16, i), held_out=blobs(8, 9)),
            folder=folder / name,
            policy=GuardRules(min_examples=1),
        )
        for i, name in enumerate(("a", "b"))
    }


def plan(strategy: str) -> Plan:
    return Plan(
        rounds=RoundRules(count=3, min_updates=1),
        strategy=StrategyChoice(name=strategy),
        training=TRAINING,
        guard=GuardRules(min_examples=1),
        sites=(EnrolledSite(name="a"), EnrolledSite(name="b")),
    )


def test_a_course_has_every_round_its_bytes_and_the_model_each_site_uses(tmp_path: Path) -> None:
    test = blobs(40, 5)
    course = follow(plan("personal"), sites(tmp_path), initial_vector(1), test, tmp_path / "run", every=2)
    assert len(course.auc) == 3
    assert course.auc[2] == evaluate(course.vector, test).auc
    assert course.sent_bytes[0] > 2 * 4 * layout().size  # two sites, float32, and their headers
    assert course.sent_bytes[2] > 2.9 * course.sent_bytes[0]
    assert course.received_bytes == tuple(2 * 4 * layout().size * n for n in (1, 2, 3))
    assert course.refused == 0
    head = layout().span("head.")
    assert (course.own["a"][head] != course.own["b"][head]).any()
    trunk = layout().span("trunk.0.")  # the first convolution is common
    assert (course.own["a"][trunk] == course.vector[trunk]).all()


def test_only_sites_that_were_asked_receive_the_model(tmp_path: Path) -> None:
    course = follow(
        plan("cyclic"), sites(tmp_path), initial_vector(1), blobs(40, 5), tmp_path / "run", every=3
    )
    assert course.received_bytes == tuple(4 * layout().size * n for n in (1, 2, 3))


def test_alone_is_plain_training() -> None:
    once = alone(blobs(16, 1), TRAINING, 4, initial_vector(1), 1)
    assert (once == alone(blobs(16, 1), TRAINING, 4, initial_vector(1), 1)).all()
    assert (once != initial_vector(1)).any()


def test_rounds_to_a_target_are_counted_from_one() -> None:
    course = Course(
        auc=(0.5, 0.7, 0.9),
        sent_bytes=(1, 2, 3),
        received_bytes=(1, 2, 3),
        seconds=(1.0, 2.0, 3.0),
        refused=0,
        vector=np.zeros(1, np.float32),
        own={},
    )
    assert course.reached(0.7) == 2
    assert course.reached(0.95) is None


def test_the_table_puts_the_best_first_and_says_where_the_target_was_missed() -> None:
    shared = {"pooled": (0.9, 0.9), "best_alone": (0.85, 0.85), "mean_alone": (0.8, 0.8)}
    good = Row(
        name="good",
        auc=(0.89, 0.91),
        worst_gain=(0.01, 0.03),
        rounds=(2, 4),
        site_bytes=(1_000_000, 3_000_000),
        seconds=(1.0, 3.0),
        **shared,
    )
    poor = Row(
        name="poor",
        auc=(0.8, 0.8),
        worst_gain=(-0.1, -0.1),
        rounds=(None, 3),
        site_bytes=(None, 5),
        seconds=(None, 1.0),
        **shared,
    )
    lines = table([poor, good], 2).splitlines()
    assert lines[-2] == "| good | 0.9000 ± 0.0141 | +0.0000 | +0.0200 | 3.0 | 2.0 | 2 |"
    assert lines[-1] == "| poor | 0.8000 ± 0.0000 | -0.1000 | -0.1000 | 1 of 2 seeds | – | – |"


def test_the_spread_of_one_value_is_nothing() -> None:
    assert mean_and_spread([0.5]) == (0.5, 0.0)
    assert mean_and_spread([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
