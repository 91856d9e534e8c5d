"""Contribution from inner products: worked out by hand for two sites, and fair in the ways Shapley is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cryofed.federation.aggregator.open_round import inner_products
from cryofed.federation.telling.contribution import contributions, shapley
from cryofed.federation.wire.updates import Update


def products(*vectors: list[float]) -> np.ndarray:
    rows = np.array(vectors)
    return rows @ rows.T


def test_two_sites_at_right_angles_share_by_hand() -> None:
    # a = (2, 0), b = (0, 1), equal weights; everybody's sum is (2, 1).
    # worth(a) = 2/sqrt 5, worth(b) = 1/sqrt 5, worth(ab) = 1.
    # a: (worth(a) + 1 - worth(b)) / 2 = (1 + 1/sqrt 5) / 2
    a, b = shapley(products([2, 0], [0, 1]), np.ones(2))
    assert a == pytest.approx((1 + 1 / math.sqrt(5)) / 2)
    assert b == pytest.approx((1 - 1 / math.sqrt(5)) / 2)


def test_equal_sites_share_equally_and_all_shares_add_up_to_one() -> None:
    shares = shapley(products([1, 2, 0], [1, 2, 0], [0, 1, 1]), np.array([5.0, 5.0, 3.0]))
    assert shares[0] == pytest.approx(shares[1])
    assert shares.sum() == pytest.approx(1)


def test_a_site_that_sends_nothing_has_nothing() -> None:
    assert shapley(products([1, 1], [0, 0]), np.ones(2))[1] == pytest.approx(0)


def test_a_site_that_pulls_the_other_way_has_less_than_nothing() -> None:
    shares = shapley(products([1, 0], [1, 0.2], [-0.5, 0]), np.ones(3))
    assert shares[2] < 0 < min(shares[:2])


def test_shares_rank_sites_as_training_again_without_each_of_them_does() -> None:
    # Each site pulls the model half of the way to a point of its own; six rounds of FedAvg.
    points = {"a": [1, 0.2, 0], "b": [1, -0.1, 0.1], "c": [0.3, 1, 0], "d": [-0.6, 0.1, 0.2]}

    def trained(names: str) -> tuple[np.ndarray, list[dict[str, object]]]:
        vector, reports = np.zeros(3), []
        for _ in range(6):
            rows = np.array([0.5 * (np.array(points[name]) - vector) for name in names])
            step = rows.mean(axis=0)
            both = np.vstack([rows, step])
            accepted = {name: {"examples": 1} for name in names}
            reports.append({"accepted": accepted, "inner_products": (both @ both.T).tolist()})
            vector = vector + step
        return vector, reports

    vector, reports = trained("abcd")
    told = contributions(reports)
    along = vector / np.linalg.norm(vector)
    # What is lost of the way that all go together when one of them is not there.
    lost = {name: vector @ along - trained("abcd".replace(name, ""))[0] @ along for name in points}
    assert sorted(points, key=lambda n: told[n].share) == sorted(points, key=lost.__getitem__) == list("dbca")


def test_many_sites_are_sampled_and_still_add_up_to_one() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(14, 6)) + 1
    shares = shapley(rows @ rows.T, np.ones(14))
    assert shares.sum() == pytest.approx(1)
    few = shapley(rows[:9] @ rows[:9].T, np.ones(9))
    assert few.sum() == pytest.approx(1)


def test_shares_are_means_over_rounds_with_their_standard_error() -> None:
    def report(a: float) -> dict[str, object]:
        inner = np.zeros((3, 3))
        inner[:2, :2] = products([a, 0], [0, 1])
        return {"accepted": {"a": {"examples": 1}, "b": {"examples": 1}}, "inner_products": inner.tolist()}

    told = contributions([report(2), report(1)])
    first, second = (1 + 1 / math.sqrt(5)) / 2, 0.5
    assert told["a"].share == pytest.approx((first + second) / 2)
    # two values d apart: deviation d / sqrt 2, over sqrt 2 rounds
    assert told["a"].error == pytest.approx((first - second) / 2)


def test_the_gram_matrix_of_long_updates_is_made_in_blocks() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(2, 200_000)).astype(np.float32)
    updates = [
        Update(
            site=str(i),
            round_number=1,
            model_hash="",
            layout_hash="",
            vector=v,
            examples=1,
            steps=1,
        )
        for i, v in enumerate(vectors)
    ]
    before, step = np.ones(200_000, np.float32), vectors.mean(axis=0)
    rows = np.stack([*vectors, step]).astype(np.float64)
    np.testing.assert_allclose(
        inner_products(updates, before, before + step, 200_000), rows @ rows.T, rtol=1e-5
    )
