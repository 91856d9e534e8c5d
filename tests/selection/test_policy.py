from dataclasses import replace
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
from cryofed.selection.policy import Policy, asks_a_person, best_of_lost_views, decide, loss
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


def test_named_policies_keep_more_the_more_lenient_they_are() -> None:
    cuts = [NAMED[name].threshold for name in ("strict", "balanced", "lenient")]
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


def test_a_job_in_doubt_asks_a_person_and_says_how_much_is_uncertain(job: ClassJob) -> None:
    low = replace(scores([0.3, np.nan, 0.1, 0.3, np.nan, 0.1]), doubt=0.31)
    selection = decide(job, low)
    assert selection.doubt.startswith(
        "the model is in doubt about the whole job: 20 % of its classes look good, give or take 31 %"
    )
    # what may be a particle is not said to be none
    assert selection.note == "no class reaches the cut (best score 0.30); nothing is kept"
    assert asks_a_person(job, selection, 1.0) == selection.note
    high = replace(scores([0.8, np.nan, 0.7, 0.8, np.nan, 0.7]), doubt=0.31)
    selection = decide(job, high)
    assert selection.kept.sum() == 4  # it is told, and does not decide
    assert asks_a_person(job, selection, 1.0) == selection.doubt
    for doubt, policy in ((0.15, Policy()), (0.31, Policy(max_doubt=0.5))):
        sure = decide(job, replace(high, doubt=doubt), policy)
        assert sure.doubt == asks_a_person(job, sure, 1.0) == ""
    assert asks_a_person(job, sure, 0.0).startswith("would throw away")


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
    without, with_views = (decide(job, low, Policy(keep_views=keep)) for keep in (False, True))
    assert not without.kept[5]
    if without.view[5] not in without.view[without.kept]:
        assert with_views.kept[5]
        assert with_views.reason[5] == "rare view"
    found, counted = with_views.views
    assert found == counted


@pytest.mark.parametrize(
    "wrong", [{"threshold": 1.5}, {"max_loss": -0.1}, {"max_doubt": 1.1}, {"view_floor": 2.0}]
)
def test_a_policy_cannot_be_wrong(wrong: dict[str, float]) -> None:
    with pytest.raises(CryoFedError):
        Policy(**wrong)
