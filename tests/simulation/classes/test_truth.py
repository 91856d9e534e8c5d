"""What counts as good follows from what is known of a class, and from nothing beside it."""

import numpy as np
import pytest

from cryofed.simulation.classes.average import last_above
from cryofed.simulation.classes.truth import compare, outlines, quality
from cryofed.simulation.imaging.spectrum import spread


def test_a_chain_is_judged_where_it_is_and_not_by_the_noise_beside_it() -> None:
    y, x = np.indices((64, 64)) - 32
    chain = np.where((np.abs(y) < 24) & (np.abs(x) < 3), 1 + 0.5 * np.sin(y), 0).astype(np.float32)[None]
    outline = outlines(chain, np.array([28.0]))[0]
    assert outline[32, 32] == 1
    assert outline[32, 32 + 12] == 0  # 9 px beyond its rim; a tenth of the diameter is 5 px
    beside = np.random.default_rng(3).standard_normal((1, 64, 64)).astype(np.float32) * (np.abs(x) > 12)
    everything = spread(np.ones(33), 64)[None]
    clean, noisy = (compare(seen, chain, everything, np.array([28.0])) for seen in (chain, chain + beside))
    np.testing.assert_allclose(noisy, clean)


@pytest.mark.parametrize(
    ("coarser", "expected"),
    [(1.0, 1.0), (1.8, 1.0), (2.65, 0.5), (3.5, 0.0), (9.0, 0.0)],  # 2.65 lies half way from 1.8 to 3.5
)
def test_views_that_do_not_agree_lower_the_quality_as_far_as_noise_is_no_excuse(
    coarser: float, expected: float
) -> None:
    perfect = np.array([1.0]), np.array([0.99]), np.array([0.05]), np.array([0.0])
    assert quality(*perfect, np.array([coarser]))[0] == pytest.approx(expected)


def test_the_last_shell_above_a_level_comes_before_the_first_that_falls_below_it() -> None:
    curve = np.where(np.arange(20) < 8, 1.0, 0.0)[None]
    # Smoothed over three shells, shell 7 has 2/3 and shell 8 has 1/3; shell 9 is the first at 0.
    assert last_above(curve, 0.3)[0] == 8
    assert last_above(curve, 0.5)[0] == 7
