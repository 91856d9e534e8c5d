"""A scored job that decisions teach: scores that follow, classes without a score, a model that is too old."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cryofed.errors import CryoFedError
from cryofed.scoring.reasons import REASONS
from cryofed.scoring.scorer import Scores
from cryofed.selection.taught import Teachable, after


def job_of_two_kinds(n: int = 20) -> Scores:
    """Even classes are good, and the model says 0.3 of all; class 0 has no score."""
    rng = np.random.default_rng(0)
    pooled = rng.normal(size=(n, 12)).astype(np.float32)
    pooled[::2, :4] += 3
    pooled[0] = np.nan
    score = np.full(n, 0.3)
    score[0] = np.nan
    reasons = np.full((n, len(REASONS)), 0.1)
    return Scores(score=score, reasons=reasons, unsure=np.ones(n, bool), pooled=pooled)


def test_scores_follow_decisions_and_count_from_the_cut() -> None:
    scores = job_of_two_kinds()
    teachable = Teachable.of(scores, scores.score, cut=0.25)
    assert teachable.prior == pytest.approx(np.full(19, np.log(0.3 / 0.7) - np.log(0.25 / 0.75)))
    score = teachable.taught({2: True, 4: True, 1: False, 3: False})
    assert np.isnan(score[0])
    assert (score[6::2] > 0.25).mean() > 0.9
    assert (score[5::2] < 0.25).mean() > 0.7
    assert score[6::2].min() > score[5::2].max()
    assert (score[[2, 4]] >= 0.25).all()


def test_without_a_decision_the_scores_are_the_models() -> None:
    scores = job_of_two_kinds()
    score = Teachable.of(scores, scores.score, cut=0.25).taught({})
    np.testing.assert_allclose(score, scores.score)


def test_a_class_without_a_score_teaches_nothing_and_is_never_proposed() -> None:
    scores = job_of_two_kinds()
    teachable = Teachable.of(scores, scores.score, cut=0.25)
    assert teachable.counts({0: True, 1: False, 2: True}) == (1, 1)
    np.testing.assert_array_equal(teachable.taught({0: True, 1: False}), teachable.taught({1: False}))
    decided = dict.fromkeys(range(2, 20), True)
    assert teachable.proposal(decided) == 1
    assert teachable.proposal(decided | {1: True}) is None


def test_nobody_is_asked_to_look_at_what_a_person_has_decided() -> None:
    scores = job_of_two_kinds()
    learnt = after(replace(scores, doubt=0.4), np.full(20, 0.3), {3: False})
    assert learnt.doubt == 0
    assert learnt.unsure.sum() == 19
    assert not learnt.unsure[3]


def test_a_model_of_an_older_version_cannot_learn_and_says_so() -> None:
    scores = job_of_two_kinds()
    old = Scores(
        score=scores.score, reasons=scores.reasons, unsure=scores.unsure, pooled=np.zeros((20, 0), "f")
    )
    with pytest.raises(CryoFedError, match="cannot learn from decisions"):
        Teachable.of(old, old.score, cut=0.25)


def test_a_job_without_any_score_has_nothing_to_teach() -> None:
    scores = job_of_two_kinds()
    teachable = Teachable.of(scores, np.full(20, np.nan), cut=0.25)
    assert np.isnan(teachable.taught({1: True})).all()
    assert teachable.proposal({}) is None
    assert teachable.counts({1: True}) == (0, 0)
