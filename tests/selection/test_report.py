import hashlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryofed.jobs.opening import open_job
from cryofed.scoring.reasons import REASONS
from cryofed.scoring.scorer import Scores
from cryofed.selection.making import Making, ModelUsed, model_used
from cryofed.selection.pictures import grey
from cryofed.selection.policy import decide
from cryofed.selection.report import report_html, scale_bar
from cryofed.selection.report_strip import strip


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
    making = Making(model=ModelUsed(name="<shipped>", sha256="ab" * 32))
    return report_html(job, decide(job, scores), final=relion_job.parent / "job012_selected", making=making)


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
    assert "<em>edge or neighbour</em>" in report_html(job, decide(job, scores))


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


def test_it_tells_from_what_it_was_made(page: str, relion_job: Path) -> None:
    facts = page[page.index('<dl class="facts">') :].partition("</dl>")[0]
    for told in (str(relion_job), "ab" * 32, "0.40 (balanced)", " UTC<"):
        assert told in facts


def test_it_tells_how_to_go_on_with_paths_from_the_project(page: str, relion_job: Path) -> None:
    steps = re.findall("<code>(.*?)</code>", page)
    assert steps[0] == f"cryofed review {relion_job}"
    assert steps[1:] == [f"Class2D/job012_selected/{name}.star" for name in ("particles", "rank_optimiser")]


def test_where_nothing_is_kept_no_program_can_go_on(relion_job: Path) -> None:
    scores = Scores(score=np.full(6, 0.1), reasons=np.full((6, len(REASONS)), 0.1), unsure=np.zeros(6, bool))
    job = open_job(relion_job)
    for one in (job, replace(job, program="images"), replace(job, program="cryosparc")):
        page = report_html(one, decide(one, scores), final=relion_job.parent / "job012_selected")
        assert "cryofed review" in page
        assert "job012_selected" not in page


def test_a_job_in_doubt_is_said_first(relion_job: Path) -> None:
    job = open_job(relion_job)
    scores = Scores(
        score=np.full(6, 0.8), reasons=np.full((6, len(REASONS)), 0.1), unsure=np.zeros(6, bool), doubt=0.4
    )
    page = report_html(job, decide(job, scores))
    said = re.search(r'<p class="note">(.*?)</p>', page)
    assert said is not None
    assert "80 % of its classes look good, give or take 40 %" in said[1]
    assert page.index(said[0]) < page.index("<figure")
    selection = decide(job, scores)
    refused = report_html(job, selection, making=Making(refused=selection.doubt))
    assert refused.count("give or take 40 %") == 1  # as the reason why nothing was written


def test_a_refusal_can_be_looked_at(relion_job: Path) -> None:
    job = open_job(relion_job)
    scores = Scores(
        score=np.full(6, 0.9), reasons=np.full((6, len(REASONS)), np.nan), unsure=np.zeros(6, bool)
    )
    making = Making(
        refused="would throw away 70 % of the particles, more than 60 %", review="cryofed review X"
    )
    page = report_html(job, decide(job, scores), final=relion_job, making=making)
    assert "Not written: would throw away 70 %" in page
    assert re.findall("<code>(.*?)</code>", page) == ["cryofed review X"]  # there are no files to go on with


def test_every_picture_is_told_in_words(page: str) -> None:
    assert 'alt="class 3, rejected, score 0.04, 25 particles, 13.0 Å, ' in page
    assert 'alt=""' not in page.partition("<dialog")[0]


def test_the_scale_bar_is_the_longest_round_length_in_three_tenths(relion_job: Path) -> None:
    job = open_job(relion_job)
    assert job.pixel_size_angstrom
    side = job.box * job.pixel_size_angstrom
    length, share = scale_bar(job)
    assert share == length / side <= 0.3
    assert str(length).strip("0.") in ("1", "2", "5")
    assert min(step for step in (2, 2.5) if length * step > 0.3 * side)  # the next round one is too long


def test_the_hash_is_that_of_the_model_file(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"weights")
    assert model_used(tmp_path / "model.onnx").sha256 == hashlib.sha256(b"weights").hexdigest()
    assert model_used(None).name == "shipped"


def test_the_name_of_the_cut_stands_alone_on_the_axis() -> None:
    drawn = strip([], 0.22)
    assert "cut 0.22" in drawn
    assert ">0.25<" not in drawn
    assert ">0.5<" in drawn
