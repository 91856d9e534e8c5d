"""What the page asks of the command, and what it may not ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from cryofed.errors import CryoFedError, OutputError
from cryofed.web.review.gallery import Gallery, content_key
from cryofed.web.review.routes import Decision, Saving, review_app

Make = Callable[..., TestClient]


class Recorder:
    """Stands for the writers: keeps what it was given."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.decisions: list[Decision] = []
        self.trouble = trouble

    def __call__(self, decision: Decision) -> list[str]:
        if self.trouble:
            raise self.trouble
        self.decisions.append(decision)
        return ["wrote a file"]


def client_of(gallery: Gallery, drafts: Path, save: Recorder, library: str = "") -> TestClient:
    return TestClient(review_app(gallery, Saving(files="", library=library, save=save), drafts))


def request_of(gallery: Gallery, **changes: Any) -> dict[str, Any]:
    n = len(gallery)
    draft = {"revision": 0, "threshold": 0.5, "hand": [0] * n, "reason": [-1] * n}
    return {"key": content_key(gallery), "kept": [True] * n, "draft": draft, "labels": "none"} | changes


def test_unknown_numbers_are_null(gallery: Gallery, drafts: Path) -> None:
    odd = replace(
        gallery, score=np.full(12, np.nan), resolution_angstrom=np.full(12, np.inf), particles=np.full(12, -1)
    )
    answer = client_of(odd, drafts, Recorder()).get("/review/gallery").json()
    assert answer["score"] == answer["resolution"] == answer["particles"] == [None] * 12


def test_thumbnails_and_zoom_have_the_sizes_that_the_page_expects(gallery: Gallery, drafts: Path) -> None:
    client = client_of(gallery, drafts, Recorder())
    side = client.get("/review/gallery").json()["thumb"]
    assert side == 32  # the box: no pixel is invented
    assert len(client.get("/review/thumbs").content) == 12 * side * side
    assert len(client.get("/review/average/11").content) == 2 * 32 * 32  # average, then spectrum
    assert client.get("/review/average/12").status_code == 404
    assert client.get("/review/average/-1").status_code == 404


def test_a_draft_comes_back_to_the_same_pictures_only(gallery: Gallery, drafts: Path) -> None:
    draft = request_of(gallery)["draft"] | {"hand": [1, -1] + [0] * 10}
    assert client_of(gallery, drafts, Recorder()).put("/review/draft", json=draft).json() == {"revision": 1}
    again = client_of(gallery, drafts, Recorder()).get("/review/gallery").json()
    assert again["draft"]["hand"][:3] == [1, -1, 0]
    other = replace(gallery, averages=gallery.averages + 1)
    assert client_of(other, drafts, Recorder()).get("/review/gallery").json()["draft"] is None


def test_a_draft_of_another_length_or_with_other_values_is_refused(gallery: Gallery, drafts: Path) -> None:
    client = client_of(gallery, drafts, Recorder())
    good = request_of(gallery)["draft"]
    for bad in ({"hand": [0]}, {"hand": [2] * 12}, {"threshold": 1.5}, {"revision": -1}, {"path": "/etc"}):
        assert client.put("/review/draft", json=good | bad).status_code == 422


def test_saving_hands_over_exactly_what_was_decided(gallery: Gallery, drafts: Path) -> None:
    recorder = Recorder()
    kept = [i % 2 == 0 for i in range(12)]
    draft = request_of(gallery)["draft"] | {"hand": [1] + [0] * 11, "reason": [-1, 4] + [-1] * 10}
    answer = client_of(gallery, drafts, recorder, "site.db").post(
        "/review/save", json=request_of(gallery, kept=kept, draft=draft, labels="hand")
    )
    assert answer.json() == {"written": ["wrote a file"], "revision": 1}
    (decision,) = recorder.decisions
    assert decision.kept.tolist() == kept
    assert decision.by_hand.tolist() == [True] + [False] * 11
    assert decision.reason[1] == 4
    assert decision.labels == "hand"


def test_labels_need_a_library_and_an_explicit_choice(gallery: Gallery, drafts: Path) -> None:
    recorder = Recorder()
    client = client_of(gallery, drafts, recorder)
    assert client.post("/review/save", json=request_of(gallery, labels="all")).status_code == 422
    without = request_of(gallery)
    del without["labels"]
    assert client.post("/review/save", json=without).status_code == 422
    assert recorder.decisions == []


def test_a_page_of_another_job_cannot_save(gallery: Gallery, drafts: Path) -> None:
    client = client_of(gallery, drafts, Recorder())
    assert client.post("/review/save", json=request_of(gallery, key="0" * 32)).status_code == 409
    assert client.post("/review/save", json=request_of(gallery, kept=[True])).status_code == 409


@pytest.mark.parametrize(
    "trouble", [OutputError("out", "folder", "not empty", "name another"), OSError("full")]
)
def test_a_save_that_fails_says_why_and_the_work_stays(
    gallery: Gallery, drafts: Path, trouble: Exception
) -> None:
    client = client_of(gallery, drafts, Recorder(trouble))
    client.put("/review/draft", json=request_of(gallery)["draft"])
    draft = request_of(gallery)["draft"] | {"revision": 1}
    answer = client.post("/review/save", json=request_of(gallery, draft=draft))
    assert answer.status_code == 422
    assert str(trouble) in answer.json()["detail"]
    assert client.get("/review/gallery").json()["draft"]["saved"] is False


def test_a_gallery_of_unequal_columns_cannot_exist(gallery: Gallery) -> None:
    with pytest.raises(CryoFedError, match="12 averages"):
        replace(gallery, score=gallery.score[:5])


def test_the_key_changes_with_one_pixel(gallery: Gallery) -> None:
    other = gallery.averages.copy()
    other[3, 5, 5] += 1e-3
    assert content_key(replace(gallery, averages=other)) != content_key(gallery)
    assert content_key(replace(gallery, title="elsewhere")) == content_key(gallery)


def test_a_page_that_has_not_seen_the_latest_change_writes_nothing_and_is_told(
    gallery: Gallery, drafts: Path
) -> None:
    client = client_of(gallery, drafts, Recorder())
    first = request_of(gallery)["draft"] | {"hand": [1] + [0] * 11}
    assert client.put("/review/draft", json=first).json() == {"revision": 1}
    stale = client.put("/review/draft", json=first | {"hand": [-1] * 12})  # made from revision 0 as well
    assert stale.status_code == 409
    assert stale.json()["draft"]["revision"] == 1
    assert stale.json()["draft"]["hand"] == [1] + [0] * 11
    assert client.get("/review/draft").json()["draft"]["hand"] == [1] + [0] * 11
    assert client.put("/review/draft", json=first | {"revision": 1}).json() == {"revision": 2}


def test_a_save_from_an_older_state_saves_nothing(gallery: Gallery, drafts: Path) -> None:
    recorder = Recorder()
    client = client_of(gallery, drafts, recorder)
    client.put("/review/draft", json=request_of(gallery)["draft"])
    answer = client.post("/review/save", json=request_of(gallery))
    assert answer.status_code == 409
    assert answer.json()["draft"]["revision"] == 1
    assert recorder.decisions == []


def test_a_hundred_writers_at_once_lose_nothing_unseen(gallery: Gallery, drafts: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    client = client_of(gallery, drafts, Recorder())
    draft = request_of(gallery)["draft"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.put("/review/draft", json=draft).status_code, range(100)))
    assert sorted(answers) == [200] + [409] * 99


def test_learning_begins_with_one_good_and_one_bad_decision(taught_gallery: Gallery, drafts: Path) -> None:
    client = client_of(taught_gallery, drafts, Recorder())
    assert client.get("/review/gallery").json()["teachable"] is True
    hand = [0] * 12
    told = client.post("/review/learn", json={"hand": hand}).json()
    assert told["score"] is None
    assert (told["good"], told["bad"]) == (0, 0)
    assert told["proposal"] in (5, 6)  # scores 0.458 and 0.542, the two nearest the cut of 0.5
    hand[0] = 1
    assert client.post("/review/learn", json={"hand": hand}).json()["score"] is None
    hand[1] = -1
    told = client.post("/review/learn", json={"hand": hand}).json()
    assert (told["good"], told["bad"]) == (1, 1)
    assert told["score"][0] >= 0.5 > told["score"][1]
    assert len(told["unsure"]) == 12
    assert told["proposal"] not in (0, 1)
    for bad in ([0], [2] * 12, "x"):
        assert client.post("/review/learn", json={"hand": bad}).status_code == 422


def test_where_decisions_teach_nothing_the_page_is_told(gallery: Gallery, drafts: Path) -> None:
    client = client_of(gallery, drafts, Recorder())
    assert client.get("/review/gallery").json()["teachable"] is False
    assert client.post("/review/learn", json={"hand": [0] * 12}).status_code == 422
