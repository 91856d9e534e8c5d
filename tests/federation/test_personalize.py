"""A site's own calibration undoes its own habit; its own head never touches the common trunk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.federation.labelled_blobs import labelled

from cryofed.errors import TrainingError
from cryofed.federation.personalize import calibrated, personalize, site_scores, with_own_head
from cryofed.learning.learner import TrainingSettings, initial_vector, layout

QUICK = TrainingSettings(steps=2, batch=8, augment=False)


def test_calibration_makes_the_mean_score_the_share_of_good_averages() -> None:
    # Maximum likelihood with an offset: the scores' mean is the labels' mean. A strict expert, who
    # keeps one of four, so gets lower scores from the same logits.
    many = labelled(200, 0)
    strict = replace(many, good=many.good & (np.arange(200) % 4 == 0))
    vector = initial_vector(0)
    for averages, share in ((many, 0.5), (strict, 0.25)):
        found = site_scores(vector, calibrated(vector, averages), averages)
        assert found.mean() == pytest.approx(share, abs=1e-3)


def test_too_few_labels_are_said_with_how_many_it_takes() -> None:
    with pytest.raises(TrainingError, match=r"19 good and 19 bad averages; .* takes 20 of each"):
        calibrated(initial_vector(0), labelled(38, 0))


def test_an_own_head_leaves_the_trunk_as_it_was() -> None:
    vector = initial_vector(0)
    own = with_own_head(vector, labelled(40, 0), QUICK, seed=1)
    head = layout().span("head.")
    assert (own[~head] == vector[~head]).all()
    assert (own[head] != vector[head]).any()


def test_the_own_head_is_kept_only_where_it_is_better() -> None:
    found = personalize(initial_vector(0), labelled(60, 0), labelled(40, 9), QUICK, seed=1)
    same = (found.vector == initial_vector(0)).all()
    assert same is not np.bool_(found.own_head)
    assert found.brier_personal < found.brier_common  # an untrained model is not calibrated
