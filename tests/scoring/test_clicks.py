"""What a few decisions teach, on classes whose features and prior are worked out in sight."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from cryofed.scoring.clicks import CARRIED, PRIOR, fit, learn, propose, relative

Numbers = NDArray[np.float64]


def two_kinds(n: int = 40, k: int = 30, seed: int = 0) -> tuple[Numbers, NDArray[np.bool_]]:
    """n classes, every second good: the kinds lie two deviations apart in a third of the features."""
    rng = np.random.default_rng(seed)
    good = np.arange(n) % 2 == 0
    pooled = rng.normal(size=(n, k))
    pooled[:, : k // 3] += 2 * good[:, None]
    return relative(pooled), good


def ranked(logits: Numbers, good: NDArray[np.bool_]) -> float:
    return float((logits[good][:, None] > logits[~good]).mean())


def test_relative_features_forget_scale_and_offset_of_the_job() -> None:
    pooled = np.random.default_rng(1).normal(size=(9, 12))
    np.testing.assert_allclose(relative(1000 * pooled + 7), relative(pooled), atol=1e-5)
    assert relative(pooled).mean(axis=0) == pytest.approx(np.zeros(12), abs=1e-12)


def test_a_feature_that_never_changes_counts_as_nothing_and_an_outlier_is_bounded() -> None:
    pooled = np.zeros((100, 4))
    pooled[0, 1] = 1e9  # 9.9 deviations from the mean of 100
    far = relative(pooled)
    assert np.isfinite(far).all()
    assert (far[:, 0] == 0).all()
    assert far[0, 1] == 4 / 2  # four deviations, over the root of four features


def test_without_a_decision_the_models_logits_come_back() -> None:
    features, _ = two_kinds()
    prior = np.linspace(-2, 2, 40)
    after = learn(features, prior, {})
    assert (after == prior).all()
    assert after is not prior


@pytest.mark.parametrize("kept", [True, False])
def test_one_decision_of_either_kind_alone_moves_its_like_with_it(kept: bool) -> None:
    features, good = two_kinds()
    prior = np.zeros(40)
    after = learn(features, prior, {0 if kept else 1: kept})
    same, other = (good, ~good) if kept else (~good, good)
    sign = 1 if kept else -1
    assert sign * after[same].mean() > sign * after[other].mean()
    assert np.isfinite(after).all()


def test_three_and_three_decisions_turn_a_model_that_is_wrong_about_the_job() -> None:
    features, good = two_kinds()
    prior = np.where(good, -0.5, 0.5) + np.random.default_rng(2).normal(0, 0.3, 40)
    assert ranked(prior, good) < 0.1
    after = learn(features, prior, {i: bool(good[i]) for i in range(6)})
    assert ranked(after[6:], good[6:]) > 0.9


def test_decisions_mend_the_level_of_a_job_whose_order_is_right() -> None:
    features, good = two_kinds()
    prior = np.where(good, -1.0, -4.0)  # nothing reaches the cut
    after = learn(features, prior, {i: bool(good[i]) for i in range(6)})
    assert ((after > 0) == good)[6:].mean() > 0.95


def test_a_decided_class_keeps_its_own_side_whatever_the_others_say() -> None:
    features, good = two_kinds()
    decided = {i: bool(good[i]) for i in range(20)} | {21: True, 22: False}  # against their like
    after = learn(features, np.where(good, 6.0, -6.0), decided)
    assert all((after[i] > 0) == kept for i, kept in decided.items())


def test_the_lesson_is_the_minimum_of_its_loss() -> None:
    """At the minimum the gradient is 0: weights are PULL² times the residuals on the decided rows."""
    from cryofed.scoring.clicks import LEVEL, PULL

    features, good = two_kinds()
    prior = np.random.default_rng(3).normal(size=40)
    decided = {i: bool(good[i]) for i in range(10)}
    lesson = fit(features, prior, decided)
    rest = good[:10] - 1 / (1 + np.exp(-lesson.logits(features, prior)[:10]))
    np.testing.assert_allclose(lesson.weights, PULL**2 * rest @ features[:10], atol=1e-3)
    assert lesson.level == pytest.approx(LEVEL**2 * rest.sum(), abs=1e-3)
    assert (lesson.good, lesson.bad) == (5, 5)


def test_the_order_of_the_decisions_does_not_matter() -> None:
    features, good = two_kinds()
    prior = np.random.default_rng(3).normal(size=40)
    decided = {i: bool(good[i]) for i in range(8)}
    back = dict(reversed(decided.items()))
    np.testing.assert_allclose(learn(features, prior, back), learn(features, prior, decided), atol=1e-3)


def test_prior_and_features_count_even_without_any_difference_between_classes() -> None:
    prior = np.array([1.0, -1.0, 2.0])
    lesson = fit(relative(np.ones((3, 5))), prior, {1: True})
    after = lesson.logits(np.zeros((3, 5)), prior)
    np.testing.assert_allclose(np.diff(after), PRIOR * np.diff(prior))  # one level for all, order as it was


def test_another_job_is_moved_by_a_bounded_amount() -> None:
    features, good = two_kinds()
    lesson = fit(features, np.where(good, -9.0, 9.0), {i: bool(good[i]) for i in range(40)})
    prior = np.random.default_rng(4).normal(size=40) * 3
    after = lesson.carried(features, prior)
    assert np.abs(after - prior).max() < CARRIED
    assert np.abs(after - prior).max() > CARRIED / 2


def test_the_first_proposal_is_the_class_that_the_model_is_least_sure_of() -> None:
    features, _ = two_kinds()
    prior = np.linspace(-3, 3.2, 40)
    assert propose(features, prior, prior, {}) == int(np.abs(prior).argmin())


def test_a_proposal_is_unlike_what_was_decided() -> None:
    """Three classes are equally unsure; one is the twin of the decided one, one its opposite."""
    features = np.array([[1.0, 0.0], [1.0, 0.01], [0.7, 0.7], [-1.0, 0.0]])
    level = np.array([2.0, 0.0, 0.0, 0.0])
    assert propose(features, level, level, {0: True}) == 3


def test_what_learning_moved_far_to_the_other_side_is_proposed_before_what_it_left_alone() -> None:
    features = np.eye(4)
    before = np.array([3.0, -3.0, 3.0, 2.9])
    assert propose(features, before, np.array([3.0, 3.0, 3.0, 2.9]), {0: True}) == 1


def test_after_two_of_one_kind_the_likeliest_of_the_other_is_proposed() -> None:
    logits = np.array([3.0, -2.0, 0.1, 2.0, -4.0])
    features = np.eye(5)
    assert propose(features, logits, logits, {0: True, 3: True}) == 4
    assert propose(features, logits, logits, {4: False, 1: False}) == 0
    assert propose(features, logits, logits, {0: True, 4: False}) == 2  # both kinds: the least sure


def test_nothing_is_proposed_where_all_is_decided() -> None:
    features = np.eye(2)
    assert propose(features, np.zeros(2), np.zeros(2), {0: True, 1: False}) is None
    assert propose(features, np.zeros(2), np.zeros(2), {0: True, 1: True}) is None
    assert propose(np.zeros((0, 3)), np.zeros(0), np.zeros(0), {}) is None


def test_no_class_is_ever_proposed_twice() -> None:
    features, good = two_kinds()
    prior, decided = np.zeros(40), {}
    while (asked := propose(features, prior, learn(features, prior, decided), decided)) is not None:
        assert asked not in decided
        decided[asked] = bool(good[asked])
    assert len(decided) == 40


@pytest.mark.parametrize("decisions", [1, 6, 60])
def test_five_hundred_classes_are_learnt_and_one_is_proposed_at_once(decisions: int) -> None:
    """Promised: under 50 ms with 400 features. Time of this thread alone: other programs run here as well."""
    rng = np.random.default_rng(0)
    features, prior = relative(rng.normal(size=(500, 400))), 3 * rng.normal(size=500)
    decided = {int(i): bool(rng.random() < 0.5) for i in rng.choice(500, decisions, False)}
    taken = []
    for _ in range(5):
        begun = time.thread_time()
        propose(features, prior, learn(features, prior, decided), decided)
        taken.append(time.thread_time() - begun)
    assert min(taken) < 0.05
