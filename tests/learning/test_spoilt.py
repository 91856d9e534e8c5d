"""Bad averages made from good ones: blurred, beside a neighbour, grained; the same with the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from cryofed.learning.corpus import gather
from cryofed.learning.spoilt import spoilt
from cryofed.library.labelled import Labelled
from cryofed.scoring.prepare import SIDE, circle
from cryofed.scoring.sharpness import sharpness
from cryofed.simulation.corpus import corpus


@pytest.fixture(scope="module")
def shown() -> Labelled:
    return gather(corpus(3, 5))


@pytest.fixture(scope="module")
def made(shown: Labelled) -> Labelled:
    return spoilt(shown, 2, 0.04, 1)


def middle(of: Labelled) -> np.ndarray:
    edge = (of.images.shape[1] - SIDE) // 2
    return of.images[:, edge:-edge, edge:-edge].astype(np.float32)


def test_every_good_average_is_spoilt_and_told_as_bad(shown: Labelled, made: Labelled) -> None:
    assert len(made) == 2 * shown.good.sum() > 0
    assert not made.good.any()
    assert (made.target == np.float32(0.04)).all()
    assert np.isnan(made.features).all()
    assert made.images.shape[1:] == shown.images.shape[1:]
    inside = middle(made)[:, circle(SIDE)]
    np.testing.assert_allclose(inside.mean(axis=1), 0, atol=0.05)
    np.testing.assert_allclose(inside.std(axis=1), 1, atol=0.05)


def test_what_is_spoilt_has_lost_its_detail(shown: Labelled, made: Labelled) -> None:
    good = sharpness(middle(shown.take(shown.good)))
    assert np.median(sharpness(middle(made))) < np.quantile(good, 0.25)


def test_the_same_seed_spoils_alike_and_another_otherwise(shown: Labelled, made: Labelled) -> None:
    again, other = spoilt(shown, 2, 0.04, 1), spoilt(shown, 2, 0.04, 2)
    assert (again.images == made.images).all()
    assert not (other.images == made.images).all()


def test_a_set_without_a_good_average_gives_nothing(shown: Labelled) -> None:
    assert len(spoilt(shown.take(~shown.good), 2, 0.04, 1)) == 0
