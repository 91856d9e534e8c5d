"""Learning in a real browser: new ranking, marks, proposal, the way back, two open pages, a killed command.

`taught_gallery` of conftest.py: class k has score (k - 0.5) / 12, the cut is 0.5; classes of odd number look
alike, and so do those of even number. A person who keeps odd ones and rejects even ones teaches that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cryofed.web.review.gallery import Gallery
from cryofed.web.review.routes import Decision, Saving, review_app

SLOW = 60_000  # ms that a busy machine may need


@pytest.fixture
def saved() -> list[Decision]:
    return []


@pytest.fixture
def opened(
    page: Any, taught_gallery: Gallery, serve: Callable[..., str], drafts: Path, saved: list[Decision]
) -> Iterator[Any]:
    """The page of the gallery that can be taught, ready."""

    def save(decision: Decision) -> list[str]:
        saved.append(decision)
        return ["saved"]

    page.set_default_timeout(SLOW)
    page.goto(serve(review_app(taught_gallery, Saving(files="Writes.", library="x.db", save=save), drafts)))
    page.wait_for_selector("body[data-ready]")
    wait_for(page, "Decide one good and one bad class by hand")
    yield page
    page.close()


def wait_for(page: Any, words: str) -> None:
    # Attached is enough: on a narrow screen the line lies in a panel that is folded.
    page.wait_for_selector(f"#learnt:has-text({words!r})", timeout=SLOW, state="attached")


def wait_for_draft(page: Any, drafts: Path, *, hand: str) -> None:
    """Until the command has written what the page sent; it may not have begun a file yet."""
    deadline = time.monotonic() + SLOW / 1000
    while not any(hand in file.read_text() for file in drafts.glob("*.json")):
        assert time.monotonic() < deadline, "the command never wrote what this browser kept"
        page.wait_for_timeout(100)


def kept(page: Any) -> set[int]:
    ids = page.eval_on_selector_all(".tile[aria-selected=true]", "tiles => tiles.map(t => t.id)")
    return {int(one.removeprefix("class-")) for one in ids}


def shown(page: Any) -> list[int]:
    ids = page.eval_on_selector_all(".tile", "tiles => tiles.map(t => t.id)")
    return [int(one.removeprefix("class-")) for one in ids]


def score(page: Any, number: int) -> float:
    return float(page.text_content(f"#class-{number} .score"))


def decide(page: Any, number: int, key: str) -> None:
    page.focus(f"#class-{number}")
    page.keyboard.press(key)


def teach(page: Any) -> None:
    """Keep 1 and 3, reject 12 and 10: against the model, four times."""
    for number, key in ((1, "k"), (12, "x"), (3, "k"), (10, "x")):
        decide(page, number, key)
    wait_for(page, "Learnt from 4 of your decisions: 2 good, 2 bad.")


def test_the_rest_is_ranked_anew_marked_and_counted(opened: Any) -> None:
    decide(opened, 1, "k")
    wait_for(opened, "Decide one bad class by hand too")
    assert score(opened, 5) == 0.38  # nothing is learnt from one kind: (5 - 0.5) / 12
    teach(opened)
    assert score(opened, 5) > 0.5 > score(opened, 8)  # an odd one rose, an even one fell
    assert {1, 3, 5} <= kept(opened)
    assert not {8, 10, 12} & kept(opened)
    assert "now kept" in opened.get_attribute("#class-5", "aria-label")
    assert "now rejected" in opened.get_attribute("#class-8", "aria-label")
    undecided = [n for n in shown(opened) if n not in (1, 3, 10, 12)]
    assert undecided == sorted(undecided, key=lambda n: -score(opened, n))
    changed = opened.locator(".tile[data-changed]").count()
    assert f"{changed} classes changed side." in opened.text_content("#learnt")
    opened.click("#show-changed")
    assert len(shown(opened)) == changed
    opened.click("#show-changed")
    assert len(shown(opened)) == 12


def test_the_class_that_was_decided_stays_where_it_is_and_keeps_the_focus(opened: Any) -> None:
    teach(opened)
    place = shown(opened).index(8)
    decide(opened, 8, "k")
    wait_for(opened, "Learnt from 5")
    assert shown(opened).index(8) == place
    assert opened.evaluate("document.activeElement.id") == "class-8"


def test_one_press_goes_back_to_the_model_as_it_came_and_one_more_returns(opened: Any) -> None:
    teach(opened)
    learnt = score(opened, 5)
    opened.keyboard.press("l")
    wait_for(opened, "The model as it came. Not learnt from 4 of your decisions")
    assert score(opened, 5) == 0.38
    assert kept(opened) == {1, 3, 7, 8, 9, 11}  # the model's own, and what was decided by hand
    assert opened.locator(".tile[data-changed], .tile[data-next]").count() == 0
    opened.click("#learning-switch")
    wait_for(opened, "Learnt from 4")
    assert score(opened, 5) == learnt


def test_a_key_goes_to_the_class_that_is_proposed(opened: Any) -> None:
    seen = set()
    for _ in range(3):
        opened.keyboard.press("t")
        number = int(opened.evaluate("document.activeElement.id").removeprefix("class-"))
        assert opened.text_content("#next-proposed-name") == f"Decide next: class {number}"
        assert "to decide next" in opened.get_attribute(f"#class-{number}", "aria-label")
        assert number not in seen
        seen.add(number)
        opened.keyboard.press("k" if number % 2 else "x")
        opened.wait_for_selector(f"#next-proposed-name:not(:text-is('Decide next: class {number}'))")


def test_undo_and_a_reload_give_the_scores_of_the_decisions_that_stand(opened: Any) -> None:
    teach(opened)
    four = score(opened, 5)
    decide(opened, 5, "x")
    wait_for(opened, "Learnt from 5")
    assert 5 not in kept(opened)
    opened.keyboard.press("z")
    wait_for(opened, "Learnt from 4")
    assert score(opened, 5) == four
    opened.reload()
    opened.wait_for_selector("body[data-ready]")
    wait_for(opened, "Learnt from 4 of your decisions")
    assert score(opened, 5) == four


def test_a_click_and_its_correction_is_no_decision(opened: Any) -> None:
    opened.click("#class-9")
    assert opened.text_content("#by-hand") == "1"
    opened.click("#class-9")
    opened.wait_for_selector("#by-hand:text-is('0')")
    assert 9 in kept(opened)
    assert opened.locator(".tile[data-hand]").count() == 0


def test_a_correction_stays_where_the_others_teach_the_opposite(opened: Any) -> None:
    """A class comes back to what it was before the click, and is decided by nobody."""
    teach(opened)
    opened.click("#class-8")
    wait_for(opened, "Learnt from 5")
    assert 8 in kept(opened)
    opened.click("#class-8")
    wait_for(opened, "Learnt from 4")
    assert 8 not in kept(opened)
    opened.click("#class-11")  # kept by what was learnt: rejected by hand, then corrected
    wait_for(opened, "Learnt from 5")
    opened.click("#class-11")
    wait_for(opened, "Learnt from 4")
    assert 11 in kept(opened)


def test_the_automatic_cut_comes_back(opened: Any) -> None:
    assert opened.is_hidden("#auto-cut")
    opened.keyboard.press("]")
    assert opened.text_content("#threshold-value") == "0.51"
    assert opened.text_content("#auto-cut") == "Back to the automatic 0.50"
    opened.click("#auto-cut")
    assert opened.text_content("#threshold-value") == "0.50"
    assert opened.is_hidden("#auto-cut")
    opened.keyboard.press("]")
    opened.focus("#class-12")
    opened.keyboard.press("0")
    assert opened.text_content("#threshold-value") == "0.50"


def test_two_open_pages_lose_nothing_and_the_one_behind_is_told(opened: Any, browser: Any) -> None:
    other = browser.new_page()
    other.set_default_timeout(SLOW)
    other.goto(opened.url)
    other.wait_for_selector("body[data-ready]")
    decide(opened, 1, "k")
    other.wait_for_selector("#class-1[aria-selected=true]")
    other.wait_for_selector("#notice:has-text('another page changed 1 class')")
    decide(other, 12, "x")
    opened.wait_for_selector("#class-12[aria-selected=false]")
    wait_for(opened, "Learnt from 2 of your decisions: 1 good, 1 bad.")
    wait_for(other, "Learnt from 2 of your decisions: 1 good, 1 bad.")
    decide(opened, 3, "k")
    opened.keyboard.press("z")  # undoes what was done here, not what was done there
    opened.wait_for_selector("#by-hand:text-is('2')")
    assert 12 not in kept(opened)
    other.close()


def test_a_write_from_behind_is_merged_and_not_lost(opened: Any, drafts: Path) -> None:
    """Both pages change before either hears of the other: the command refuses the second, which merges."""
    opened.route(
        "**/review/draft", lambda route: route.abort() if route.request.method == "GET" else route.continue_()
    )
    opened.evaluate(
        """async () => {
            const { draft } = await (await fetch('/review/gallery')).json();
            const hand = new Array(12).fill(0), reason = new Array(12).fill(-1);
            hand[5] = 1;
            const body = JSON.stringify({ revision: draft?.revision ?? 0, threshold: 0.5, hand, reason });
            const headers = { 'content-type': 'application/json' };
            await fetch('/review/draft', { method: 'PUT', headers, body });
        }"""
    )
    with (
        opened.expect_response(lambda r: r.url.endswith("/review/draft") and r.status == 409),
        opened.expect_response(lambda r: r.url.endswith("/review/draft") and r.status == 200),
    ):
        decide(opened, 12, "x")
    assert opened.text_content("#by-hand") == "2"
    assert 6 in kept(opened)
    assert 12 not in kept(opened)
    wait_for_draft(opened, drafts, hand='"hand": [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, -1]')


def test_the_save_says_what_it_does_and_carries_what_was_learnt(opened: Any, saved: list[Decision]) -> None:
    teach(opened)
    hold = threading.Event()
    opened.route("**/review/save", lambda route: (hold.wait(10), route.continue_()))
    before = kept(opened)
    opened.keyboard.press("s")
    opened.evaluate("document.getElementById('save-go').click()")
    assert opened.text_content("#save-go") == "Saving…"
    assert opened.is_disabled("#save-go")
    hold.set()
    opened.wait_for_selector("#saved:not([hidden])")
    assert saved[0].learning
    assert {i + 1 for i, keep in enumerate(saved[0].kept) if keep} == before
    assert saved[0].decided == {0: True, 2: True, 9: False, 11: False}


def test_a_killed_command_leaves_the_ranking_and_the_work_as_they_are(
    page: Any, taught_gallery: Gallery, serve: Callable[..., str], drafts: Path
) -> None:
    page.set_default_timeout(SLOW)
    saving = Saving(files="", library="", save=lambda _: [])
    page.goto(serve(review_app(taught_gallery, saving, drafts)))
    page.wait_for_selector("body[data-ready]")
    wait_for(page, "Decide one good")
    teach(page)
    learnt = score(page, 5)
    page.evaluate(
        "() => { window.fetch = () => Promise.reject(new TypeError('gone')); }"
    )  # what a dead command looks like
    decide(page, 8, "k")
    wait_for(page, "The command in the terminal has stopped; the ranking stays as it is.")
    page.wait_for_selector("#unsaved:has-text('Command stopped; kept in this browser')")
    assert score(page, 5) == learnt
    assert 8 in kept(page)
    page.reload()  # the command is there again
    page.wait_for_selector("body[data-ready]")
    wait_for(page, "Learnt from 5 of your decisions: 3 good, 2 bad.")
    assert 8 in kept(page)
    wait_for_draft(page, drafts, hand='"hand": [1, 0, 1, 0, 0, 0, 0, 1, 0, -1, 0, -1]')


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_the_page_fits_its_width_in_both_themes(opened: Any, theme: str, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 844})
    opened.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    teach(opened)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
