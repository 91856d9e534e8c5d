"""Training the head on a trunk that stays."""

import numpy as np
import pytest

from cryofed.errors import TrainingError
from cryofed.learning import pooled
from cryofed.learning.learner import (
    AUGMENTATION,
    TrainingSettings,
    initial_vector,
    layout,
    logits,
    network,
    train,
)
from cryofed.library.labelled import Labelled

HEAD = TrainingSettings(steps=12, batch=16, learning_rate=3e-3, part="head")


def averages(n: int = 40) -> Labelled:
    rng = np.random.default_rng(0)
    good = np.arange(n) % 2 == 0
    images = rng.normal(size=(n, 96, 96)).astype(np.float16)
    images[good, 40:56, 40:56] += 4  # a bright particle
    return Labelled(
        images=images,
        features=np.full((n, 6), np.nan, np.float32),
        target=good.astype(np.float32),
        good=good,
        reason=np.full(n, -1, np.int8),
        job=np.arange(n) // 10,
        project=np.arange(n) // 10,
    )


def test_the_trunk_keeps_its_bits_and_the_head_learns() -> None:
    start, labelled = initial_vector(0), averages()
    trained = train(start, labelled, HEAD, seed=1)
    trunk = layout().span("trunk.")
    np.testing.assert_array_equal(trained.vector[trunk], start[trunk])
    assert (trained.vector[~trunk] != start[~trunk]).any()
    told = logits(trained.vector, labelled)[:, 0]
    assert told[labelled.good].mean() > told[~labelled.good].mean()


def test_the_same_seed_gives_the_same_bits_whether_the_views_were_kept_or_not() -> None:
    start, labelled = initial_vector(0), averages()
    first = train(start, labelled, HEAD, seed=1).vector
    again = train(start, labelled, HEAD, seed=1).vector  # from the kept views
    pooled._KEPT.clear()
    afresh = train(start, labelled, HEAD, seed=1).vector
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, afresh)


def test_the_first_view_is_the_plain_one_and_the_others_differ() -> None:
    vector, labelled = initial_vector(0), averages(6)
    made = pooled.pooled_views(network(vector).eval(), b"x", labelled, AUGMENTATION)
    plain = pooled.pooled_views(network(vector).eval(), b"x", labelled, None)
    assert made.shape == (pooled.VIEWS, 6, 192)
    np.testing.assert_allclose(made[0], plain[0], atol=1e-6)
    assert np.abs(made[1] - made[0]).max() > 1e-3


def test_kept_views_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooled, "KEPT_BYTES", 1)
    vector, labelled = initial_vector(0), averages(6)
    for name in (b"a", b"b", b"c"):
        pooled.pooled_views(network(vector), name, labelled, None)
    assert len(pooled._KEPT) == 1  # the last one


def test_a_drift_moves_the_head_alone_and_the_mean_gradient_of_the_trunk_is_zero() -> None:
    start, labelled = initial_vector(0), averages()
    trained = train(start, labelled, HEAD, seed=1, drift=np.ones_like(start))
    trunk = layout().span("trunk.")
    np.testing.assert_array_equal(trained.vector[trunk], start[trunk])
    assert trained.gradient is not None
    assert not trained.gradient[trunk].any()
    assert trained.gradient[~trunk].any()


def test_a_part_that_is_unknown_is_refused() -> None:
    with pytest.raises(TrainingError, match="use 'all' or 'head'"):
        TrainingSettings(part="tail")
