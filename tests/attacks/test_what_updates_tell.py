"""What an update or a release tells of single averages: attacks that work where no guard is.

`make bench-attacks` measures the same on simulated averages at the product's size (docs/security.md).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from benchmarks.attacks.averages import shipped
from benchmarks.attacks.inversion import head_attack, inputs
from benchmarks.attacks.membership import margin
from tests.federation.labelled_blobs import labelled

from cryofed.federation.agreement.plan import LocalTraining, Plan
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.site.answering import InMemory, Site, answer
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import order, pack_order
from cryofed.federation.wire.parcels import unpack_update
from cryofed.learning.learner import layout, plain_logits
from cryofed.learning.metrics import auc
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled

NONE = GuardRules(min_examples=1, min_steps=1)
PRIVATE = GuardRules(private=True, noise_multiplier=4.0, max_epsilon=0.0)


@cache
def averages(n: int, seed: int) -> Labelled:
    """Blobs of eight widths, each average with features of its own: as far apart as a job's can be."""
    blobs = Labelled.join([labelled(n // 8, 8 * seed + index, width=3.0 + 2 * index) for index in range(8)])
    features = np.random.default_rng(seed).normal(size=blobs.features.shape) * 6
    return replace(blobs, features=features.astype(np.float32))


def leaves(training: LocalTraining, members: Labelled, policy: GuardRules, folder: Path) -> Buffer:
    """What the aggregator gets of a site with these averages, under this policy; it may be nothing."""
    plan = Plan(training=training, guard=replace(NONE, private=False))
    start = shipped()
    made = order("train", 1, start, plan_hash=plan.hash, start_hash="0" * 64, layout_hash=layout().hash)
    source = InMemory(members, members.take(np.zeros(0, np.int64)))
    site = Site(name="alpha", source=source, policy=policy, folder=folder)
    return answer(pack_order(made), plan, site).data


def update_in(data: Buffer) -> Vector:
    return unpack_update(data, layout().size).vector


def read(update: Vector, members: Labelled, mean: np.ndarray) -> float:
    """Share of the averages whose embedding and features the head's change gives away, to .99."""
    return float((head_attack(update, inputs(shipped(), members), mean) > 0.99).mean())


@pytest.mark.parametrize(
    ("batch", "policy", "between"),
    [
        (1, NONE, (1.0, 1.0)),  # the attack works: all that went into the head is read
        (1, GuardRules(), None),
        (32, GuardRules(), (0.0, 0.1)),  # the worst that the default policy allows
        (32, PRIVATE, (0.0, 0.0)),
    ],
)
def test_an_update_gives_away_an_average_only_where_no_guard_is(
    batch: int, policy: GuardRules, between: tuple[float, float] | None, tmp_path: Path
) -> None:
    training = LocalTraining(
        steps=1, batch=batch, optimizer="sgd", learning_rate=0.1, augment=False, weight_decay=0.0
    )
    members, others = averages(64, 1).take(np.arange(batch)), averages(64, 2)
    data = leaves(training, members, policy, tmp_path)
    assert bool(data) == (between is not None)
    if between is not None:
        mean = inputs(shipped(), others).mean(axis=0)
        assert between[0] <= read(update_in(data), members, mean) <= between[1]
        assert read(update_in(data), others, mean) == 0  # what stands for chance


@pytest.mark.parametrize(
    ("n", "policy", "between"),
    [
        (32, NONE, (0.8, 1.0)),  # the attack works: labels that nothing explains were learnt by heart
        (24, GuardRules(), None),
        (32, PRIVATE, (0.0, 0.75)),  # a half, give or take what 32 and 32 averages allow
    ],
)
def test_a_model_tells_who_was_in_it_only_where_no_guard_is(
    n: int, policy: GuardRules, between: tuple[float, float] | None, tmp_path: Path
) -> None:
    """Of a site that trains its head as greedily as a plan may ask, on labels drawn by lot."""
    training = LocalTraining(
        steps=120,
        batch=n,
        part="head",
        learning_rate=1e-2,
        augment=False,
        weight_decay=0.0,
        feature_dropout=0.0,
    )
    everybody = Labelled.join([averages(64, 1).take(np.arange(n)), averages(64, 2).take(np.arange(n))])
    good = np.random.default_rng(3).random(2 * n) < 0.5
    lot = replace(
        everybody, good=good, target=good.astype(np.float32), reason=np.where(good, -1, 0).astype(np.int8)
    )
    data = leaves(training, lot.take(np.arange(n)), policy, tmp_path)
    assert bool(data) == (between is not None)
    if between is not None:
        told = margin(plain_logits(shipped() + update_in(data), lot), lot)
        assert between[0] <= auc(told, np.arange(2 * n) < n) <= between[1]
