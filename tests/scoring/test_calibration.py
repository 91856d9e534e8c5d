"""Probabilities out of logits."""

from dataclasses import replace

import numpy as np
import pytest

from cryofed.scoring.calibration import LIMIT, Calibration, Context, context_columns, fit_platt, sigmoid
from cryofed.scoring.detail import DETAIL


def plain_context(hidden: int = 3, size: int = 4, k: int = 2) -> Context:
    rng = np.random.default_rng(0)
    columns = 2 + k + len(DETAIL)
    return Context(
        middle=rng.normal(size=size),
        axes=rng.normal(size=(size, k)),
        hidden_weight=rng.normal(size=(hidden, columns)),
        hidden_bias=rng.normal(size=hidden),
        out_weight=np.zeros(hidden),
        linear=np.zeros(columns),
        bias=np.array(0.0),
    )


def plain_detail(n: int) -> np.ndarray:
    return np.zeros((n, len(DETAIL)))


def test_platt_finds_the_slope_and_offset_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, 40_000)
    good = rng.random(len(logits)) < sigmoid(0.5 * logits - 1)
    found = fit_platt(logits, good)
    # 40,000 labels settle both to about 0.02.
    assert found.slope == pytest.approx(0.5, abs=0.03)
    assert found.offset == pytest.approx(-1, abs=0.06)


def test_a_context_of_zeros_changes_nothing() -> None:
    logits, embedding = np.array([-1.0, 0.0, 2.0]), np.ones((3, 4))
    found = Calibration(context=plain_context()).probabilities(logits, embedding, plain_detail(3))
    np.testing.assert_allclose(found, sigmoid(logits))


def test_a_context_moves_a_logit_by_less_than_the_limit() -> None:
    logits, embedding = np.array([-1.0, 0.0, 2.0]), np.ones((3, 4))
    context = replace(plain_context(), bias=np.array(-1e6))
    np.testing.assert_allclose(context.logits(logits, embedding, plain_detail(3)), logits - LIMIT)


def test_columns_hold_the_distance_from_what_looks_good_in_the_job() -> None:
    logits = np.array([50.0, -50.0])  # surely good, surely bad
    reduced = np.array([[1.0, 2.0], [5.0, 5.0]])
    detail = np.array([[1.0] * len(DETAIL), [0.5] * len(DETAIL)])
    columns = context_columns(logits, reduced, detail)
    np.testing.assert_allclose(columns[:, 0], logits / 3)
    np.testing.assert_allclose(columns[:, 1], [0, -100 / 3], atol=1e-9)
    np.testing.assert_allclose(columns[:, 2:4], [[0, 0], [4, 3]], atol=1e-9)
    np.testing.assert_allclose(columns[:, 4:], [[0] * len(DETAIL), [-0.5] * len(DETAIL)], atol=1e-9)


def test_the_order_of_classes_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    logits, embedding = rng.normal(size=6), rng.normal(size=(6, 4))
    calibration = Calibration(context=plain_context())
    detail, order = rng.normal(size=(6, len(DETAIL))), rng.permutation(6)
    np.testing.assert_allclose(
        calibration.probabilities(logits[order], embedding[order], detail[order]),
        calibration.probabilities(logits, embedding, detail)[order],
    )


def test_json_keeps_seven_digits() -> None:
    calibration = Calibration(slope=1.5, offset=0.25, unsure=(0.3, 0.6), context=plain_context())
    again = Calibration.from_json(calibration.to_json())
    logits, embedding = np.array([0.3, -0.7]), np.arange(8.0).reshape(2, 4)
    np.testing.assert_allclose(
        again.probabilities(logits, embedding, plain_detail(2)),
        calibration.probabilities(logits, embedding, plain_detail(2)),
        rtol=1e-5,
    )
    assert again.unsure == (0.3, 0.6)


def test_nan_is_never_unsure() -> None:
    assert Calibration().is_unsure(np.array([np.nan, 0.5, 0.9])).tolist() == [False, True, False]
