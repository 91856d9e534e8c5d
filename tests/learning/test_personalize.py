"""A site's own model is the one that is surely best there; its own head never touches the common trunk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.federation.labelled_blobs import labelled

from cryofed.errors import TrainingError
from cryofed.learning.learner import TrainingSettings, initial_vector, layout, train
from cryofed.learning.personalize import (
    candidates,
    gain,
    personalize,
    two_halves,
    with_own_head,
)

QUICK = TrainingSettings(steps=2, batch=8, augment=False)


def test_too_few_labels_are_said_with_how_many_it_takes() -> None:
    with pytest.raises(TrainingError, match=r"19 good and 19 bad averages; .* takes 20 of each"):
        personalize({"common": initial_vector(0)}, labelled(38, 0))


def test_an_own_head_leaves_the_trunk_as_it_was() -> None:
    vector = initial_vector(0)
    own = with_own_head(vector, labelled(40, 0), QUICK, seed=1)
    head = layout().span("head.")
    assert (own[~head] == vector[~head]).all()
    assert (own[head] != vector[head]).any()


def test_mixtures_have_so_much_of_the_release_and_the_rest_of_the_sites_own() -> None:
    common, own = initial_vector(0), initial_vector(1)
    models = candidates(common, own, labelled(40, 0), QUICK, seed=1)
    assert list(models) == ["own", "quarter", "half", "three quarters", "common", "head"]
    assert (models["common"] == common).all()
    assert (models["own"] == own).all()
    for name, share in (("quarter", 0.25), ("half", 0.5), ("three quarters", 0.75)):
        mixed = [share * common[i] + (1 - share) * own[i] for i in range(3)]
        np.testing.assert_allclose(models[name][:3], mixed, rtol=1e-6)


def test_the_first_model_is_left_only_for_one_whose_gain_exceeds_its_error() -> None:
    judge, vector = labelled(60, 9), initial_vector(0)
    trained = train(vector, labelled(80, 0), TrainingSettings(steps=15, batch=16), 1).vector
    found = personalize({"common": vector, "own": trained}, judge)
    assert found.kind == "own"
    assert found.auc["own"] > found.auc["common"]
    assert (found.vector == trained).all()
    assert personalize({"own": trained, "common": vector}, judge).kind == "own"
    same = {"own": trained, "again": trained, "common": vector}
    assert personalize(same, judge).kind == "own"  # no gain, no error
    # The same evidence from one job has no error to measure it by, so the first stays.
    one_job = replace(judge, job=np.zeros(60, np.int64))
    assert personalize({"common": vector, "own": trained}, one_job).kind == "common"


def test_the_error_of_a_gain_is_the_jackknife_over_jobs() -> None:
    # Three jobs of one good and one bad. `scores` orders all; `other` has job 2's pair above all the rest
    # and the wrong way round.
    averages = replace(labelled(6, 0), good=np.tile([True, False], 3), job=np.repeat([0, 1, 2], 2))
    scores, other = np.tile([1.0, 0.0], 3), np.array([1.0, 0.0, 1.0, 0.0, 2.0, 3.0])
    # AUC of other: of 9 pairs good-bad the 3 with job 2's bad average are lost: 6/9. Without job 0 (or 1):
    # 2 of 4 pairs; without job 2: 4 of 4. Differences 1/3; left out 1/2, 1/2, 0: mean 1/3,
    # squares 1/36 + 1/36 + 4/36, times 2/3.
    assert gain(scores, other, averages) == (pytest.approx(1 / 3), pytest.approx((2 / 3 * 6 / 36) ** 0.5))


def test_held_out_averages_are_halved_by_whole_jobs() -> None:
    averages = replace(labelled(120, 0), job=np.repeat([4, 7, 9], [20, 60, 40]))
    chooses, tells = two_halves(averages)
    # By size: 7 (60), 9 (40), 4 (20), in turn.
    assert sorted(set(chooses.job)) == [4, 7]
    assert set(tells.job) == {9}


def test_where_half_is_too_few_all_held_out_averages_choose() -> None:
    # Two jobs of 30, half of them good: 15 good are fewer than 20, 30 are enough.
    chooses, tells = two_halves(replace(labelled(60, 0), job=np.repeat([1, 2], 30)))
    assert (len(chooses), len(tells)) == (60, 0)
    with pytest.raises(TrainingError, match="19 good and 19 bad"):
        two_halves(labelled(38, 0))
