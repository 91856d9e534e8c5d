from itertools import product
from pathlib import Path

import numpy as np
import pytest

from cryofed.cli.policy_options import NAMES
from cryofed.errors import CryoFedError
from cryofed.jobs.job import ClassJob
from cryofed.jobs.opening import open_job
from cryofed.scoring.reasons import REASONS
from cryofed.scoring.scorer import Scores
from cryofed.selection.policies import MEANING, NAMED, named
from cryofed.selection.policy import (
    Policy,
    adaptive_cut,
    best_of_lost_views,
    careful_cut,
    decide,
    job_cut,
    loss,
    loss_risk,
    midway,
    only_junk,
)
from cryofed.selection.table import class_rows

EDGE = "edge or neighbour"


def scores(values: list[float], reason: str = EDGE) -> Scores:
    reasons = np.full((len(values), len(REASONS)), 0.01)
    reasons[:, REASONS.index(reason)] = 0.9
    score = np.array(values)
    return Scores(score=score, reasons=reasons, unsure=(score > 0.4) & (score < 0.6))


@pytest.fixture
def job(relion_job: Path) -> ClassJob:
    return open_job(relion_job)  # 40, 0, 25, 60, 5, 12 particles


@pytest.mark.parametrize(
    ("values", "cut"),
    [
        ([0.01, 0.02, 0.95, 0.99], 0.5),  # nobody near the threshold: the threshold
        ([0.05, 0.45, 0.9], (0.45 + 0.7) / 2),  # gaps 0.15 below and 0.25 above 0.45: left out
        ([0.05, 0.55, 0.9], (0.3 + 0.55) / 2),  # 0.25 below: kept
        ([0.4, 0.42, 0.6], (0.42 + 0.6) / 2),  # the widest gap lies between them
        (
            [0.48, 0.49, 0.51, 0.52],
            (0.3 + 0.48) / 2,
        ),  # alike: kept together, for 0.18 below equals 0.18 above
        ([np.nan, 0.55], (0.3 + 0.55) / 2),
        ([], 0.5),
    ],
)
def test_the_cut_lies_in_the_widest_gap_near_the_threshold(values: list[float], cut: float) -> None:
    assert adaptive_cut(np.array(values), 0.5, 0.2) == pytest.approx(cut)


@pytest.mark.parametrize(
    ("values", "cut"),
    [
        ([0.9] * 6 + [0.17, 0.02], 0.17),  # 5.4 good classes to expect: one lost is too many, at 19 %
        ([0.9] * 6 + [0.02, 0.02], 0.25),  # at 4 % it is not
        ([0.9] * 8 + [0.17, 0.02], 0.25),  # of 7.2 one may be lost, and two are with 0.3 %
        ([0.9, 0.2, 0.04, 0.04, 0.04], 0.2),  # 12 %, but nothing under 0.05 is kept for it
        ([0.2, 0.2, np.nan], 0.25),  # nothing looks good here
        ([], 0.25),
    ],
)
def test_the_cut_is_lowered_where_the_job_could_lose_too_many_of_its_good_classes(
    values: list[float], cut: float
) -> None:
    assert careful_cut(np.array(values), 0.25, 0.15, 0.05, 0.05) == pytest.approx(cut)


def test_the_risk_of_loss_is_the_sum_over_all_ways_to_lose_too_many() -> None:
    rng = np.random.default_rng(0)
    for most in (0.0, 0.15, 0.4):
        kept, rejected = rng.uniform(0.3, 1, 5), rng.uniform(0, 0.5, 6)
        slow = sum(
            float(np.prod(np.where(way, rejected, 1 - rejected)))
            for way in product([False, True], repeat=6)
            if (1 - most) * sum(way) > most * kept.sum()
        )
        assert loss_risk(kept, rejected, most) == pytest.approx(slow)


def test_a_threshold_that_was_typed_is_the_cut() -> None:
    values = np.array([0.9, 0.8, 0.2])
    assert job_cut(values, Policy(threshold=0.3, band=0.0)) == 0.3
    assert job_cut(values, Policy(most_lost=0.99)) == pytest.approx(0.5)  # midway between 0.8 and 0.2


@pytest.mark.parametrize(
    ("values", "cut", "middle"),
    [
        ([0.9, 0.4, 0.3, np.nan], 0.4, 0.35),  # the cut was a score itself
        ([0.9, 0.8], 0.4, 0.4),  # nothing is rejected
        ([0.1, 0.2], 0.4, 0.4),  # nothing is kept
        ([0.5, np.nextafter(0.5, 0)], 0.5, 0.5),  # no number lies between the two
        ([], 0.4, 0.4),
    ],
)
def test_the_cut_lies_midway_between_the_scores_around_it(
    values: list[float], cut: float, middle: float
) -> None:
    found = midway(np.array(values), cut)
    assert found == pytest.approx(middle)
    assert ((np.array(values) >= found) == (np.array(values) >= cut)).all()  # nobody changes side


def test_named_policies_keep_more_the_more_lenient_they_are() -> None:
    values = np.random.default_rng(0).beta(0.5, 0.5, 200)
    cuts = [job_cut(values, NAMED[name]) for name in ("strict", "balanced", "lenient")]
    assert cuts == sorted(cuts, reverse=True)
    assert len(set(cuts)) == 3
    assert set(MEANING) == set(NAMED) == set(NAMES)
    with pytest.raises(CryoFedError, match="found 'severe'; give one of strict, balanced, lenient"):
        named("severe")


def test_classes_at_or_above_the_cut_are_kept_and_the_others_have_a_reason(job: ClassJob) -> None:
    selection = decide(job, scores([0.9, np.nan, 0.02, 0.8, 0.99, 0.7]))
    assert selection.kept.tolist() == [True, False, False, True, False, True]
    # class 2 is empty, class 5 has 5 particles: neither is scored, however good it looks
    assert selection.reason == ("", "too few particles", EDGE, "", "too few particles", "")
    assert np.isnan(selection.score[[1, 4]]).all()
    assert selection.note == ""


def test_loss_is_the_share_of_particles_in_classes_not_kept(job: ClassJob) -> None:
    selection = decide(job, scores([0.9, 0, 0.04, 0.8, 0, 0.7]))
    assert loss(job, selection) == pytest.approx((0 + 25 + 5) / 142)


def test_loss_is_the_share_of_classes_where_counts_are_unknown(stack: Path) -> None:
    images = open_job(stack)
    assert loss(images, decide(images, scores([0.9, 0, 0.04, 0.8, 0, 0.7]))) == 0.5


def test_unsure_is_told_but_does_not_decide(job: ClassJob) -> None:
    selection = decide(job, scores([0.9, 0, 0.1, 0.58, 0, 0.1]))
    assert selection.unsure.tolist() == [False, False, False, True, False, False]
    assert selection.kept[3]


def test_where_no_score_reaches_the_cut_a_note_says_so(job: ClassJob) -> None:
    selection = decide(job, scores([0.1, 0.1, 0.2, 0.1, 0.1, 0.1]))
    assert not selection.kept.any()
    assert selection.note == "nothing here looks like a particle (best score 0.20); nothing is kept"
    assert selection.cut == 0.4  # there is nothing to keep out


@pytest.mark.parametrize(
    ("values", "junk"),
    [
        ([0.8, 0.1, 0.1, 0.1, 0.1, 0.1], True),  # odds of 4 and five of 1/9: 4.56 over six, under 1 each
        ([0.8, 0.6, 0.1, 0.1, 0.1, 0.1], True),  # 4 + 1.5 + 0.44 = 5.94
        ([0.8, 0.7, 0.1, 0.1, 0.1, 0.1], False),  # 4 + 2.33 + 0.44 = 6.78
        ([0.99, *[0.01] * 90], False),  # one sure class is worth 99 of them
        ([0.99, *[0.01] * 100], True),
        ([0.6] * 4, False),  # all alike and half well: a job of an unknown kind, not junk
        ([1.0, 0.01], False),
        ([np.nan, np.nan], False),  # nothing was scored: another note tells that
        ([], False),
    ],
)
def test_a_job_is_only_junk_where_its_odds_are_under_one_on_the_mean(values: list[float], junk: bool) -> None:
    assert only_junk(np.array(values), 1.0) == junk


def test_a_job_of_nothing_but_junk_keeps_nothing_and_says_so(job: ClassJob) -> None:
    told = scores([0.8, np.nan, 0.1, 0.1, np.nan, 0.1])  # 4 + 3/9 = 4.33 over four: more than 1 each
    assert decide(job, told).kept.tolist() == [True, False, False, False, False, False]
    told = scores([0.75, np.nan, 0.1, 0.1, np.nan, 0.1])  # 3 + 3/9 = 3.33 over four
    selection = decide(job, told, Policy(keep_views=True))
    assert not selection.kept.any()
    assert selection.cut == 0.875  # above the best: the review page shows the same
    assert selection.note == "this job looks like nothing but junk (best score 0.75); nothing is kept"


def test_a_cut_of_ones_own_overrules_that_a_job_is_only_junk(job: ClassJob) -> None:
    selection = decide(job, scores([0.75, np.nan, 0.1, 0.1, np.nan, 0.1]), Policy(threshold=0.4, band=0))
    assert selection.kept.tolist() == [True, False, False, False, False, False]
    assert selection.note == ""


@pytest.mark.parametrize(
    ("reason", "probability", "told"),
    [
        (EDGE, 0.6, EDGE),
        (EDGE, 0.59, ""),
        ("noise or over-fitted", 0.7, "noise or over-fitted"),
        ("noise or over-fitted", 0.69, ""),
        ("contamination or ice", 0.99, ""),  # ribosomes were called so
        ("blurred or misaligned", 0.99, ""),
    ],
)
def test_a_reason_is_sure_or_silent(job: ClassJob, reason: str, probability: float, told: str) -> None:
    given = np.full((6, len(REASONS)), (1 - probability) / (len(REASONS) - 1))
    given[:, REASONS.index(reason)] = probability
    score = np.array([0.9, np.nan, 0.02, 0.8, 0.99, 0.7])
    selection = decide(job, Scores(score=score, reasons=given, unsure=np.zeros(6, bool)))
    assert selection.reason[2] == told
    row = list(class_rows(job, selection))[2]
    assert row.reason == (told or f"below the cut {selection.cut:.2f}")


def test_keep_views_adds_the_best_of_a_lost_view_above_the_floor() -> None:
    view = np.array([1, 1, 2, 2, 3, 0])
    kept = np.array([True, False, False, False, False, False])
    score = np.array([0.9, 0.1, 0.25, 0.3, 0.1, np.nan])
    # view 1 is kept, view 2 has 0.3 at index 3, view 3 does not reach 0.2
    assert best_of_lost_views(view, kept, score, 0.2) == [3]


def test_a_view_kept_for_its_rarity_says_why(job: ClassJob) -> None:
    low = scores([0.9, 0, 0.04, 0.8, 0, 0.22])
    without, with_views = (decide(job, low, Policy(band=0, keep_views=keep)) for keep in (False, True))
    assert not without.kept[5]
    if without.view[5] not in without.view[without.kept]:
        assert with_views.kept[5]
        assert with_views.reason[5] == "rare view"
    found, counted = with_views.views
    assert found == counted


@pytest.mark.parametrize("wrong", [{"threshold": 1.5}, {"max_loss": -0.1}, {"band": -1}])
def test_a_policy_cannot_be_wrong(wrong: dict[str, float]) -> None:
    with pytest.raises(CryoFedError):
        Policy(**wrong)
