"""A site tells counts and means, and nothing of a cell that is too small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.federation.labelled_blobs import labelled

from cryofed.federation.site.statistics import Grid, good_share, local_statistics
from cryofed.federation.wire.bounds import NUMBERS
from cryofed.scoring.features import FEATURES


def test_counts_are_told_from_the_minimum_on() -> None:
    told = local_statistics(labelled(40, 0), [Grid(0.8, 96, 30), Grid(None, 200, 10)], min_cell=20)
    assert (told["examples"], told["good"], told["bad"]) == (40, 20, 20)
    assert told["reason:0"] == 20  # the bad ones
    assert told["pixel:1"] == 30  # 0.7 to 1.0 Å
    assert told["box:1"] == 30  # 64 to 128 pixels
    assert "box:3" not in told  # 10 averages with a box of 200: too few
    assert good_share(told) == 0.5


def test_below_the_minimum_nothing_is_told_not_even_how_many() -> None:
    assert local_statistics(labelled(18, 0), [Grid(0.8, 96, 18)], min_cell=20) == {}


def test_a_feature_is_told_only_where_enough_averages_have_it() -> None:
    few = labelled(40, 0)
    features = few.features.copy()
    features[:25, 0] = np.arange(25)  # known for 25
    features[:10, 1] = 1.0  # known for 10
    told = local_statistics(replace(few, features=features), [], min_cell=20)
    assert told[f"feature:{FEATURES[0]}.mean"] == 12.0  # (0 + ... + 24) / 25
    assert f"feature:{FEATURES[1]}.mean" not in told


def test_every_name_may_travel() -> None:

    rich = replace(labelled(40, 0), features=np.ones((40, len(FEATURES)), np.float32))
    for name in local_statistics(rich, [Grid(9.0, 1000, 40)], min_cell=1):
        assert name in NUMBERS["statistics"]
