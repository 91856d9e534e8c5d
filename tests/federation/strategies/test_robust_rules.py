"""Robust rules against slow references, and against one site that lies."""

from itertools import product

import numpy as np
import pytest

from cryofed.errors import FederationError
from cryofed.federation.strategies.blocks import network, sort_rows, square_norm
from cryofed.federation.strategies.geometric_median import GeometricMedian
from cryofed.federation.strategies.krum import Krum, MultiKrum
from cryofed.federation.strategies.median import CoordinateMedian
from cryofed.federation.strategies.norm_bounded import NormBounded
from cryofed.federation.strategies.robust import Robust, nearest
from cryofed.federation.strategies.strategy import Strategy
from cryofed.federation.strategies.trimmed_mean import TrimmedMean, cut_of

SIZE = 300_000  # several blocks at every number of sites used here


def step(strategy: Strategy, updates) -> np.ndarray:
    return strategy.combine(strategy.start(np.zeros(len(updates[0].vector), np.float32)), updates).vector


def rows(updates) -> np.ndarray:
    return np.stack([u.vector.astype(np.float64) for u in updates])


@pytest.mark.parametrize("n", range(1, 13))
def test_the_sorting_network_sorts_every_order_of_zeros_and_ones(n: int) -> None:
    # By the 0-1 principle (Knuth 5.3.4, theorem Z) it then sorts everything.
    columns = np.array(list(product([0, 1], repeat=n)), np.float32).T
    got = np.stack(sort_rows([row.copy() for row in columns]))
    np.testing.assert_array_equal(got, np.sort(columns, axis=0))


def test_the_network_for_sixteen_has_the_63_comparisons_of_the_book() -> None:
    assert len(network(16)) == 63


def test_more_rows_than_the_network_takes_are_sorted_too() -> None:
    columns = np.random.default_rng(1).standard_normal((65, 50)).astype(np.float32)
    np.testing.assert_array_equal(np.stack(sort_rows(list(columns))), np.sort(columns, axis=0))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 16])
def test_median_is_that_of_numpy(random_updates, n: int) -> None:
    updates = random_updates(n, SIZE)
    np.testing.assert_allclose(step(CoordinateMedian(), updates), np.median(rows(updates), axis=0), atol=1e-6)


@pytest.mark.parametrize(("n", "cut"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 1), (6, 2), (10, 2), (16, 4)])
def test_trimmed_mean_sorts_cuts_and_averages(random_updates, n: int, cut: int) -> None:
    assert cut_of(n, 0.2) == cut
    updates = random_updates(n, SIZE)
    slow = np.sort(rows(updates), axis=0)[cut : n - cut].mean(axis=0)
    np.testing.assert_allclose(step(TrimmedMean(trim=0.2), updates), slow, atol=1e-6)


def slow_krum(vectors: np.ndarray, hostile: int) -> list[int]:
    n = len(vectors)
    scores = []
    for i in range(n):
        away = sorted(((vectors[i] - vectors[j]) ** 2).sum() for j in range(n) if j != i)
        scores.append(sum(away[: n - hostile - 2]))
    return sorted(range(n), key=lambda i: scores[i])


@pytest.mark.parametrize(("n", "hostile"), [(3, 0), (5, 1), (9, 3)])
def test_krum_takes_the_site_nearest_to_its_neighbors(random_updates, n: int, hostile: int) -> None:
    updates = random_updates(n, SIZE)
    order = slow_krum(rows(updates), hostile)
    np.testing.assert_array_equal(step(Krum(hostile=hostile), updates), updates[order[0]].vector)
    slow = rows(updates)[order[: n - hostile]].mean(axis=0)
    np.testing.assert_allclose(step(MultiKrum(hostile=hostile), updates), slow, atol=1e-6)


def test_krum_says_how_many_sites_it_takes(random_updates) -> None:
    with pytest.raises(FederationError, match="4 updates cannot stand 1 hostile, it takes 5"):
        step(Krum(hostile=1), random_updates(4, 10))


def test_geometric_median_leaves_no_pull_in_any_direction(random_updates) -> None:
    updates = random_updates(5, 1000)
    z = step(GeometricMedian(iterations=200), updates).astype(np.float64)
    away = rows(updates) - z
    # At the optimum the unit vectors towards the points sum to zero.
    assert np.linalg.norm((away / np.linalg.norm(away, axis=1, keepdims=True)).sum(axis=0)) < 1e-5


def test_geometric_median_of_three_equal_and_one_far_is_the_three(update) -> None:
    updates = [update(s, [1.0, 2.0]) for s in "abc"] + [update("d", [1e6, -1e6])]
    np.testing.assert_allclose(step(GeometricMedian(), updates), [1, 2], atol=1e-3)


def test_norm_bound_shortens_what_is_longer_than_the_median(update) -> None:
    updates = [update("a", [3, 0]), update("b", [0, 4]), update("c", [-500, 0])]
    # Median norm 4: c becomes [−4, 0]; (3 + 0 − 4) / 3, (0 + 4 + 0) / 3
    np.testing.assert_allclose(step(NormBounded(), updates), [-1 / 3, 4 / 3], rtol=1e-6)
    np.testing.assert_allclose(step(NormBounded(bound=1.0), updates), [0, 1 / 3], atol=1e-7)


def test_square_norm_neither_overflows_nor_loses_small_terms() -> None:
    assert square_norm(np.full(4, 1e30, np.float32)) == pytest.approx(4e60, rel=1e-6)
    assert square_norm(np.full(100_000, 1e-3, np.float32)) == pytest.approx(0.1, rel=1e-6)


def slow_mixed(vectors: np.ndarray, hostile: int) -> np.ndarray:
    """Every update averaged with those nearest to it, so many that `hostile` are left out."""
    mixed = []
    for one in vectors:
        order = sorted(range(len(vectors)), key=lambda j: ((one - vectors[j]) ** 2).sum())
        mixed.append(vectors[order[: len(vectors) - hostile]].mean(axis=0))
    return np.array(mixed)


@pytest.mark.parametrize(("n", "cut"), [(5, 1), (6, 2), (11, 3)])
def test_robust_mixes_neighbors_then_trims(random_updates, n: int, cut: int) -> None:
    updates = random_updates(n, SIZE)
    slow = np.sort(slow_mixed(rows(updates), cut), axis=0)[cut : n - cut].mean(axis=0)
    np.testing.assert_allclose(step(Robust(), updates), slow, atol=1e-6)


def test_robust_only_bounds_below_five_sites(random_updates) -> None:
    few = random_updates(4, SIZE)
    np.testing.assert_array_equal(step(Robust(), few), step(NormBounded(), few))


def test_robust_hears_nothing_of_one_site_far_from_four(update) -> None:
    # Each of the four averages the four: (2 + 4 + 4 + 6) / 4 = 4. The far one's average is trimmed away.
    updates = [update(s, [v]) for s, v in zip("abcde", [2, 4, 4, 6, -16], strict=True)]
    assert step(Robust(), updates) == [4.0]


def test_nearest_begins_with_the_site_itself_and_takes_the_first_of_equals() -> None:
    positions = np.array([0.0, 1.0, 2.0, 2.0])
    distances = (positions[:, None] - positions) ** 2
    assert nearest(distances, 2) == [[0, 1], [1, 0], [2, 3], [3, 2]]


@pytest.mark.parametrize(
    "strategy",
    [CoordinateMedian(), TrimmedMean(), Krum(), MultiKrum(), GeometricMedian(), NormBounded(), Robust()],
)
@pytest.mark.parametrize("lie", [-4.0, 100.0, 1e12])
def test_one_of_five_cannot_turn_or_carry_away_the_step(strategy: Strategy, lie: float, update) -> None:
    rng = np.random.default_rng(3)
    truth = rng.standard_normal(5000)
    honest = [truth + 0.3 * rng.standard_normal(5000) for _ in range(4)]
    vectors = [*honest, lie * truth]
    got = step(strategy, [update(s, v) for s, v in zip("abcde", vectors, strict=True)])
    cosine = got @ truth / np.linalg.norm(got) / np.linalg.norm(truth)
    assert cosine > 0.9
    assert np.linalg.norm(got) < 1.3 * np.linalg.norm(truth)


def test_the_plain_mean_is_carried_away(update) -> None:
    from cryofed.federation.strategies.fedavg import FedAvg

    got = step(FedAvg(), [update(s, [1.0]) for s in "abcd"] + [update("e", [-100.0])])
    assert got[0] == pytest.approx(-19.2)  # (4 − 100) / 5
