"""What a label means, by habit."""

import numpy as np
import pytest

from cryofed.errors import InputError
from cryofed.library.labels import Labelling, combined, targets

NAN = float("nan")


def said(habit: str, values: list[float], job_score: float = 1.0) -> Labelling:
    return Labelling(
        habit=habit,
        values=np.array(values, np.float32),
        source="test",
        made_at="2026-01-01",
        job_score=job_score,
    )


def test_relion_colours_follow_the_class_ranker() -> None:
    colours = said("relion-colour", [1, 1, 5, 2, 3, 6, 0], job_score=0.8)
    resolution = np.array([10, 20, 20, 20, 20, 10, 10.0])
    target, good = targets(colours, resolution)
    # (b + 0.25 × (10 / res)²) × 0.8 with b = 0.75, 0.75, 0.5, 0.25, 0; yellow and unselected are 0
    expected = [0.8, 0.8125 * 0.8, 0.5625 * 0.8, 0.3125 * 0.8, 0.0625 * 0.8, 0, 0]
    np.testing.assert_allclose(target, expected, rtol=1e-6)
    assert good.tolist() == [True, True, True, False, False, False, False]


def test_relion_colours_without_resolutions_have_no_share_of_resolution() -> None:
    target, _ = targets(said("relion-colour", [1, 5, 2]), np.array([NAN, NAN, np.inf]))
    assert target.tolist() == [0.75, 0.5, 0.25]


def test_cryosift_grades_fall_by_a_fifth() -> None:
    target, good = targets(said("grade", [1, 2, 3, 4, 5]), np.array([10, 20, 20, 20, 20.0]))
    # (5 - grade) × 0.2 + 0.2 × (10 / res)²; an unusable class stays 0
    np.testing.assert_allclose(target, [1.0, 0.65, 0.45, 0.25, 0], rtol=1e-6)
    assert good.tolist() == [True, True, True, False, False]


def test_what_was_not_said_has_no_target() -> None:
    target, good = targets(said("binary", [1, NAN, 0]), np.full(3, NAN))
    assert np.isnan(target).tolist() == [False, True, False]
    assert good.tolist() == [True, False, False]


def test_a_class_is_good_when_half_of_the_selections_keep_it() -> None:
    three = [said("binary", [1, 1, 0]), said("binary", [1, 0, 0]), said("score", [0.4, 0.2, NAN])]
    target, good, _ = combined(three, np.full(3, NAN))
    np.testing.assert_allclose(target, [0.8, 0.4, 0.0], rtol=1e-6)  # (1 + 1 + .4)/3, (1 + 0 + .2)/3, 0
    assert good.tolist() == [True, False, False]


def test_a_job_nobody_labelled_has_no_targets() -> None:
    target, good, reason = combined([], np.full(2, NAN))
    assert np.isnan(target).all()
    assert not good.any()
    assert reason.tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("habit", "values"), [("binary", [2]), ("grade", [0]), ("score", [-0.1]), ("taste", [1])]
)
def test_values_outside_the_habit_are_refused(habit: str, values: list[float]) -> None:
    with pytest.raises(InputError, match="test"):
        said(habit, values)
