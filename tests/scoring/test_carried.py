"""A model that was trained on keeps what a score means, whatever the labels of the sites are like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cryofed.scoring.calibration import UNKNOWN, Calibration
from cryofed.scoring.carried import Fits, carried
from cryofed.scoring.looks import Looks
from cryofed.scoring.scorer import SHIPPED, open_model

SHIPS = open_model(SHIPPED, "cpu").calibration
LOGITS = np.array([3.0, 2.5, 2.2, -0.1, -2.0, -2.3, -3.0])
LOOKS = Looks(np.linspace(1, 0, 7), np.full(7, 4.0))
# Hard labels and easy ones, strict experts and mild ones: slope and offset of the earlier model.
EXPERTS = [(0.6, -1.5), (0.8, 0.7), (2.3, 0.5), (4.0, 0.0)]


@pytest.mark.parametrize("earlier", EXPERTS)
def test_a_model_that_did_not_change_keeps_its_calibration_whatever_the_labels(earlier) -> None:
    again = carried(SHIPS, [Fits(earlier, earlier)])
    assert again.slope == pytest.approx(SHIPS.slope)
    assert again.offset == pytest.approx(SHIPS.offset)
    assert again.jobs == SHIPS.jobs


@pytest.mark.parametrize("earlier", EXPERTS)
def test_logits_that_were_stretched_and_moved_mean_what_they_meant(earlier) -> None:
    # The later model says 2 z - 1 where the earlier one said z: in its fit slope a / 2 and offset b + a / 2.
    later = (earlier[0] / 2, earlier[1] + earlier[0] / 2)
    moved = carried(SHIPS, [Fits(earlier, later)])
    # Sharpness stands beside the logit, so that it is stretched too; without it the scores are the same.
    plain, plainly_moved = replace(SHIPS, sharpness=0.0), replace(moved, sharpness=0.0)
    np.testing.assert_allclose(
        plainly_moved.probabilities(2 * LOGITS - 1, LOOKS), plain.probabilities(LOGITS, LOOKS), atol=1e-9
    )


def test_hard_labels_do_not_put_every_class_halfway() -> None:
    hard = (0.7, -0.4)
    before, after = (
        SHIPS.probabilities(LOGITS, LOOKS),
        carried(SHIPS, [Fits(hard, hard)]).probabilities(LOGITS, LOOKS),
    )
    np.testing.assert_allclose(after, before)
    # What such labels gave before: the scale of the jobs with another slope.
    wrong = replace(SHIPS, slope=hard[0], offset=hard[1]).probabilities(LOGITS, LOOKS)
    assert before[:3].min() > 0.9
    assert wrong[:3].max() < 0.9


def test_a_single_site_moves_nothing_far() -> None:
    honest = Fits((0.7, -0.4), (0.77, -0.4))
    hostile = [
        Fits(earlier, later)
        for earlier in ((1e6, 0.0), (1e-3, 1e6), (-5.0, 0.0), (0.05, -1e6))
        for later in ((1e6, 1e6), (-1e6, -1e6), (0.0, 0.0))
    ]
    alone = carried(SHIPS, [honest] * 2)
    for liar in hostile:
        assert carried(SHIPS, [honest, liar, honest]) == alone  # the middle of three
        among_two = carried(SHIPS, [honest, liar])
        assert SHIPS.slope / 3 <= among_two.slope <= 3 * SHIPS.slope
        assert abs(among_two.offset - SHIPS.offset) <= 2 * SHIPS.slope
        untrained = carried(UNKNOWN, [honest, liar, honest])
        assert (untrained.slope, untrained.offset) == (0.77, -0.4)


def test_where_nobody_could_fit_the_parents_stays() -> None:
    assert carried(SHIPS, []) == SHIPS
    assert carried(UNKNOWN, []) == UNKNOWN
    # A model that does not tell good from bad somewhere says nothing of how far its logits moved there.
    assert carried(SHIPS, [Fits((0.0, 1.0), (2.0, 0.0))]) == SHIPS


def test_a_parent_that_judges_each_class_by_itself_takes_the_fit_as_it_is() -> None:
    fits = [Fits((0.0, 0.0), later) for later in ((0.5, -1.0), (1.5, 0.0), (9.0, 9.0))]
    assert carried(UNKNOWN, fits) == Calibration(slope=1.5, offset=0.0, jobs=None)
