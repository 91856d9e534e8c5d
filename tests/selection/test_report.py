import re
from pathlib import Path

import numpy as np
import pytest

from cryofed.jobs.opening import open_job
from cryofed.scoring.reasons import REASONS
from cryofed.scoring.scorer import Scores
from cryofed.selection.pictures import grey
from cryofed.selection.policy import decide
from cryofed.selection.report import report_html


@pytest.fixture
def page(relion_job: Path) -> str:
    reasons = np.full((6, len(REASONS)), 0.1)
    reasons[2, 1] = 0.9
    scores = Scores(
        score=np.array([0.9, np.nan, 0.04, 0.97, np.nan, 0.55]),
        reasons=reasons,
        unsure=np.array([False, False, False, False, False, True]),
    )
    job = open_job(relion_job)
    return report_html(job, decide(job, scores), model="<shipped>")


def figures(page: str) -> list[tuple[str, str]]:
    """Class number and kept (k) or rejected (r), in the order of the page."""
    return re.findall(r'<figure id="c(\d+)" class="([kr])"', page)


def test_every_average_is_a_picture_by_score_kept_and_rejected_apart(page: str) -> None:
    # 4 has 0.97, 1 has 0.9, 6 has 0.55; then 3 with 0.04, and the two without a score
    assert figures(page) == [("4", "k"), ("1", "k"), ("6", "k"), ("3", "r"), ("2", "r"), ("5", "r")]
    assert page.count('src="data:image/jpeg;base64,') == 6


def test_it_tells_score_particles_resolution_and_reason(page: str) -> None:
    card = page[page.index('<figure id="c3"') :].partition("</figure>")[0]
    for told in (">0.04<", ">25<", ">13.0 Å<", "<em>below the cut 0.40</em>"):
        assert told in card


def test_a_sure_reason_is_told(relion_job: Path) -> None:
    reasons = np.zeros((6, len(REASONS)))
    reasons[:, REASONS.index("edge or neighbour")] = 1
    scores = Scores(
        score=np.array([0.9, np.nan, 0.04, 0.97, np.nan, 0.55]), reasons=reasons, unsure=np.zeros(6, bool)
    )
    job = open_job(relion_job)
    assert "<em>edge or neighbour</em>" in report_html(job, decide(job, scores), model="")


def test_it_says_where_it_is_unsure(page: str) -> None:
    assert page.count('class="unsure"') == 1
    assert "unsure: worth a look" in page


def test_it_needs_nothing_from_outside_and_escapes_names(page: str) -> None:
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "url(http" not in page
    assert "&lt;shipped&gt;" in page


def test_pictures_are_scaled_one_by_one_and_large_boxes_binned() -> None:
    images = np.random.default_rng(0).normal(size=(2, 256, 256)).astype(np.float32)
    images[1] *= 1000
    pictures = grey(images)
    assert pictures.shape == (2, 128, 128)
    assert pictures.min() == 0
    assert (
        abs(int(pictures[0].mean()) - int(pictures[1].mean())) < 5
    )  # the grey scale of the input is no matter


def test_a_blank_average_is_a_blank_picture() -> None:
    assert not grey(np.full((1, 32, 32), 3, np.float32)).any()
