"""The review page in a real browser: mouse, keyboard, screen reader, reload, speed.

`gallery` of conftest.py: class k has score (k - 0.5) / 12 and 100 k particles; the threshold is 0.5, so
classes 7 to 12 are kept: 100 × (7 + … + 12) = 5,700 of 7,800 particles, 73.1 %.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cryofed.web.review.gallery import Gallery
from cryofed.web.review.routes import Decision, Saving, review_app

Open = Callable[..., Any]


@pytest.fixture
def saved() -> list[Decision]:
    return []


@pytest.fixture
def opened(
    page: Any, gallery: Gallery, serve: Callable[..., str], drafts: Path, saved: list[Decision]
) -> Iterator[Any]:
    """The page of the small gallery, ready."""

    def save(decision: Decision) -> list[str]:
        saved.append(decision)
        return ["Select/job013/class_averages.star"]

    saving = Saving(files="Writes Select/job013.", library="site.db", save=save)
    page.goto(serve(review_app(gallery, saving, drafts)))
    page.wait_for_selector("body[data-ready]")
    yield page
    page.close()  # before its server ends, or its last draft finds nobody


def kept(page: Any) -> list[int]:
    """Numbers of the kept classes, in the order of the page."""
    return page.eval_on_selector_all(
        ".tile[aria-selected=true]", "tiles => tiles.map(t => Number(t.id.slice(6)))"
    )


def shown(page: Any) -> list[int]:
    return page.eval_on_selector_all(".tile", "tiles => tiles.map(t => Number(t.id.slice(6)))")


def text(page: Any, element: str) -> str:
    return page.text_content(f"#{element}")


def slide(page: Any, value: float) -> None:
    page.eval_on_selector(
        "#threshold",
        "(e, v) => { e.value = v; for (const n of ['input', 'change']) e.dispatchEvent(new Event(n)); }",
        value,
    )


def test_it_opens_sorted_by_score_with_live_numbers(opened: Any) -> None:
    assert shown(opened) == list(range(12, 0, -1))
    assert kept(opened) == [12, 11, 10, 9, 8, 7]
    assert text(opened, "kept-classes") == "6"
    assert text(opened, "kept-particles") == "5,700"
    assert text(opened, "kept-share") == "73.1 %"
    assert opened.is_hidden("#lost-row")  # that no group is lost is no praise, and is not told


def test_the_token_is_gone_from_the_address(opened: Any) -> None:
    assert "token" not in opened.url


def test_sliding_the_threshold_keeps_and_rejects_at_once(opened: Any) -> None:
    slide(opened, 0.9)  # class 11 has 10.5 / 12 = 0.875, class 12 has 0.958
    assert kept(opened) == [12]
    assert text(opened, "kept-share") == "15.4 %"  # 1,200 / 7,800
    assert text(opened, "lost-views") == "2 of 3"
    assert opened.text_content("#views [data-lost=true]") == "Group 2: none of 4 kept"
    assert text(opened, "views-summary") == "Groups that look alike: 3, 2 without a kept class"


def test_what_was_set_by_hand_stays_when_the_threshold_moves(opened: Any) -> None:
    opened.click("#class-1")
    slide(opened, 0.9)
    assert kept(opened) == [12, 1]
    opened.click("#reset")
    assert kept(opened) == [12]


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("score", [12, 11]),
        ("uncertainty", [7, 6]),  # 0.5417 and 0.4583, the two nearest 0.5
        ("disagreement", [1, 12]),  # labelled kept at 0.042, rejected at 0.958
        ("resolution", [1, 2]),
        ("particles", [12, 11]),
        ("similarity", [12, 9, 6, 3]),  # view 1 has the most particles: 300 + 600 + 900 + 1,200
        ("number", [1, 2]),
    ],
)
def test_every_order_puts_the_right_classes_first(opened: Any, order: str, first: list[int]) -> None:
    opened.select_option("#sort", order)
    assert shown(opened)[: len(first)] == first
    opened.click("#reverse")
    assert shown(opened)[::-1][: len(first)] == first


def test_a_click_toggles_and_a_shift_click_sets_the_range_alike(opened: Any) -> None:
    opened.click("#class-6")  # rejected by score: now kept
    opened.click("#class-3", modifiers=["Shift"])
    assert kept(opened) == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]
    opened.click("#class-10")
    opened.click("#class-12", modifiers=["Shift"])
    assert kept(opened) == [9, 8, 7, 6, 5, 4, 3]


def test_keyboard_alone_keeps_rejects_moves_ranges_and_undoes(opened: Any) -> None:
    press = opened.keyboard.press
    press("x")  # the first tile has the focus from the start: class 12
    press("ArrowRight")
    press("Space")  # class 11
    assert kept(opened) == [10, 9, 8, 7]
    press("n")
    press("p")
    press("k")
    assert kept(opened) == [11, 10, 9, 8, 7]
    press("End")
    press("k")  # class 1
    press("Shift+ArrowLeft")
    press("Shift+ArrowLeft")  # classes 2 and 3 as class 1
    assert kept(opened) == [11, 10, 9, 8, 7, 3, 2, 1]
    press("z")
    assert kept(opened) == [11, 10, 9, 8, 7, 2, 1]
    press("Control+z")
    press("Shift+Z")
    assert kept(opened) == [11, 10, 9, 8, 7, 2, 1]
    press("Home")
    press("a")
    assert kept(opened)[0] == 12
    press("b")
    assert kept(opened) == []
    press("]")
    assert text(opened, "threshold-value") == "0.51"


def test_rows_are_one_arrow_apart(opened: Any) -> None:
    columns = opened.eval_on_selector(
        "#grid", "e => getComputedStyle(e).gridTemplateColumns.split(' ').length"
    )
    opened.keyboard.press("ArrowDown")
    assert opened.evaluate("document.activeElement.id") == f"class-{12 - columns}"
    opened.keyboard.press("ArrowUp")
    assert opened.evaluate("document.activeElement.id") == "class-12"


def test_the_filter_shows_a_part_and_all_again(opened: Any) -> None:
    opened.click("#filter >> text=Rejected")
    assert shown(opened) == [6, 5, 4, 3, 2, 1]
    opened.click("#filter >> text=All")
    assert len(shown(opened)) == 12


def test_a_double_click_zooms_and_decides_nothing(opened: Any) -> None:
    opened.click("#class-9")  # a decision of its own: rejected
    opened.dblclick("#class-8")
    opened.wait_for_selector("#zoom[open]")
    assert text(opened, "zoom-title") == "Class 8"
    opened.keyboard.press("Escape")
    assert kept(opened) == [12, 11, 10, 8, 7]
    assert text(opened, "by-hand") == "1"  # class 9 alone
    opened.keyboard.press("z")
    assert kept(opened) == [12, 11, 10, 9, 8, 7]
    assert opened.is_disabled("#undo")


def test_limits_reject_with_their_reason_and_live_counts(opened: Any) -> None:
    opened.click("#limits summary")
    assert opened.is_hidden("label:has(#ess)")  # nothing is known of it here
    opened.fill("#fewest", "900")
    assert kept(opened) == [12, 11, 10, 9]  # classes 7 and 8 have 700 and 800 particles
    # classes 1 to 8: 100 × (1 + … + 8)
    assert text(opened, "limits-told") == "Outside of the limits: 8 classes, 3,600 particles"
    opened.fill("#coarsest", "13.5")
    assert kept(opened) == [10, 9]  # k + 3 Å
    assert "coarser than 13.5 Å" in opened.get_attribute("#class-12", "aria-label")
    opened.click("#class-12")  # a person's word goes before a limit
    assert kept(opened) == [12, 10, 9]
    with opened.expect_response("**/review/draft"):
        opened.fill("#fewest", "")
    opened.reload()
    opened.wait_for_selector("body[data-ready]")
    assert kept(opened) == [12, 10, 9, 8, 7]
    assert opened.input_value("#coarsest") == "13.5"


def test_all_decisions_are_turned_over_and_an_earlier_selection_is_loaded(opened: Any) -> None:
    opened.click("#turn")
    assert kept(opened) == [6, 5, 4, 3, 2, 1]
    opened.keyboard.press("z")
    opened.click("#earlier")  # class 1 was kept, class 12 rejected
    assert kept(opened) == [11, 10, 9, 8, 7, 1]
    assert text(opened, "by-hand") == "2"


def test_a_class_is_found_by_its_number_and_numbers_are_copied(
    opened: Any, browser: Any, until: Callable[[Any, str], None]
) -> None:
    opened.keyboard.press("/")
    opened.keyboard.type("19")  # each digit is typed here, and sorts nothing
    assert opened.input_value("#find") == "19"
    assert opened.get_attribute("#find", "aria-invalid") == "true"
    opened.fill("#find", "3")
    opened.keyboard.press("Enter")
    assert opened.evaluate("document.activeElement.id") == "class-3"
    browser.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.click("#copy")
    until(opened, "document.getElementById('notice').textContent.includes('7,8,9,10,11,12')")
    assert opened.evaluate("navigator.clipboard.readText()") == "7,8,9,10,11,12"


def test_grades_of_other_programs_are_labels(opened: Any, saved: list[Decision]) -> None:
    opened.select_option("#scale", "grade")
    opened.focus("#class-12")
    opened.keyboard.press("Shift+Digit5")  # CryoSift's worst
    opened.focus("#class-1")
    opened.keyboard.press("Shift+Digit2")
    assert kept(opened) == [11, 10, 9, 8, 7, 1]
    assert "grade 2 decent" in opened.get_attribute("#class-1", "aria-label")
    opened.select_option("#sort", "grade")
    assert shown(opened)[:2] == [1, 12]
    opened.keyboard.press("Control+s")
    opened.check("input[name=labels][value=hand]")
    assert "2 of them with their grade" in text(opened, "labels-hand")
    opened.click("#save-go")
    opened.wait_for_selector("#saved:not([hidden])")
    assert saved[0].scale == "grade"
    assert saved[0].grade is not None
    assert saved[0].grade.tolist() == [2] + [0] * 10 + [5]


@pytest.mark.parametrize(
    "case",
    [
        (["b"], "No class is kept"),  # from the first tile on: all
        (["ArrowRight", "b"], "84.6 % of the particles would go, more than the 60.0 %"),  # 1,200 of 7,800
    ],
)
def test_an_unusual_selection_is_asked_about_before_it_is_saved(
    page: Any, serve: Callable[..., str], gallery: Gallery, drafts: Path, case: tuple[list[str], str]
) -> None:
    keys, doubt = case
    saved: list[Decision] = []
    saving = Saving(files="Writes Select/job013.", library="", save=lambda d: saved.append(d) or ["a file"])
    page.goto(serve(review_app(replace(gallery, max_loss=0.6), saving, drafts)))
    page.wait_for_selector("body[data-ready]")
    for key in [*keys, "s", "Enter"]:
        page.keyboard.press(key)
    assert doubt in text(page, "save-doubt")
    page.keyboard.press("Enter")  # pressed twice by habit: that is Cancel
    assert page.is_hidden("#save-dialog")
    assert not saved
    page.click("#save")
    page.click("#save-go")
    page.click("#save-go")
    page.wait_for_selector("#saved:not([hidden])")
    assert len(saved) == 1
    page.close()


def test_policies_by_name_are_one_click(
    page: Any, gallery: Gallery, serve: Callable[..., str], drafts: Path
) -> None:
    cuts = {"strict": 0.7, "balanced": 0.5, "lenient": 0.2}
    saving = Saving(files="", library="", save=lambda _: [])
    page.goto(serve(review_app(replace(gallery, cuts=cuts), saving, drafts)))
    page.wait_for_selector("body[data-ready]")
    assert page.text_content("#policies [aria-pressed=true]") == "Balanced 0.50"
    page.click("#policies >> text=Strict")
    assert kept(page) == [12, 11, 10, 9]  # class 9 has 8.5 / 12 = 0.708
    page.click("#policies >> text=Lenient")
    assert kept(page)[-1] == 3  # 2.5 / 12 = 0.208
    page.close()


def test_the_first_tab_stop_leads_to_the_classes(opened: Any) -> None:
    # From the top of the page: the browser goes on from where the focus was last.
    opened.evaluate("() => { document.body.tabIndex = -1; document.body.focus(); }")
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.id") == "skip"
    opened.keyboard.press("Enter")
    assert opened.evaluate("document.activeElement.id") == "class-12"


@pytest.mark.parametrize("width", [320, 390, 720])  # 720 is 1440 at 200 %, 320 the narrowest of WCAG 1.4.10
def test_narrow_screens_need_no_sideways_scrolling_and_begin_with_the_classes(
    opened: Any, width: int
) -> None:
    opened.set_viewport_size({"width": width, "height": 800})
    opened.reload()
    opened.wait_for_selector("body[data-ready]")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.locator(".tile").first.bounding_box()["y"] < 420
    opened.click("#controls > summary")
    assert opened.is_visible("#threshold")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    opened.set_viewport_size({"width": 1440, "height": 900})
    assert opened.is_visible("#threshold")


def test_the_menu_offers_above_and_below(opened: Any) -> None:
    opened.click("#class-9", button="right")
    opened.click("#menu >> text=Reject this and all below")
    assert kept(opened) == [12, 11, 10]
    opened.click("#class-6", button="right")
    opened.click("#menu >> text=Keep this and all above")
    assert kept(opened) == [12, 11, 10, 9, 8, 7, 6]


def test_zoom_shows_average_and_spectrum_and_decides(opened: Any) -> None:
    opened.keyboard.press("Enter")
    opened.wait_for_selector("#zoom-spectrum[width='32']")
    assert text(opened, "zoom-title") == "Class 12"
    # pixel 2 Å, 15 Å: the ring at 2 × 2 / 15 of the way to Nyquist
    assert float(opened.get_attribute("#zoom-rings circle", "r")) == pytest.approx(4 / 15)
    opened.keyboard.press("x")
    assert text(opened, "zoom-state") == "✕ Rejected"
    opened.keyboard.press("ArrowRight")
    assert text(opened, "zoom-title") == "Class 11"
    opened.keyboard.press("2")  # why rejected
    opened.keyboard.press("Escape")
    assert kept(opened) == [10, 9, 8, 7]
    assert "contamination or ice" in opened.get_attribute("#class-11", "aria-label")
    assert opened.evaluate("document.activeElement.id") == "class-11"


@pytest.mark.parametrize("away", ["Escape", "close", "cancel"])
def test_the_key_after_the_zoom_was_closed_decides_the_class_that_was_seen(opened: Any, away: str) -> None:
    for key in ("Enter", "ArrowRight"):
        opened.keyboard.press(key)
    assert text(opened, "zoom-title") == "Class 11"
    # All in one step of the page's script, as where a machine is busy: no event of the browser comes between.
    focused = opened.evaluate(
        """(away) => {
            const press = (key) => document.activeElement.dispatchEvent(
                new KeyboardEvent("keydown", { key, bubbles: true }));
            if (away === "close") document.getElementById("zoom-close").click();
            else if (away === "cancel") document.getElementById("zoom").requestClose();
            else document.dispatchEvent(new KeyboardEvent("keydown", { key: away }));
            press("x");
            press("ArrowRight");
            return document.activeElement.id;
        }""",
        away,
    )
    assert focused == "class-10"
    assert kept(opened) == [12, 10, 9, 8, 7]
    opened.wait_for_timeout(100)  # ms; what the browser does later brings the focus nowhere else
    assert opened.evaluate("document.activeElement.id") == "class-10"


def test_the_key_after_saving_was_left_moves_from_the_class_of_before(opened: Any) -> None:
    for key in ("ArrowRight", "s"):
        opened.keyboard.press(key)
    assert opened.is_visible("#save-dialog")
    focused = opened.evaluate(
        """() => {
            document.getElementById("save-cancel").click();
            document.activeElement.dispatchEvent(
                new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
            return document.activeElement.id;
        }"""
    )
    assert focused == "class-10"
    opened.click("#save")  # the button has the focus now
    opened.keyboard.press("Escape")
    assert opened.evaluate("document.activeElement.id") == "class-10"


@pytest.mark.parametrize(("width", "height"), [(390, 844), (640, 400)])  # 640 by 400 is 1280 by 800 at 200 %
def test_zoom_shows_a_whole_picture_on_small_screens(opened: Any, width: int, height: int) -> None:
    opened.set_viewport_size({"width": width, "height": height})
    opened.keyboard.press("Enter")
    opened.wait_for_selector("#zoom-spectrum[width='32']")
    box = opened.locator("#zoom-average").bounding_box()
    assert box["y"] + box["height"] <= height
    tops = {
        round(opened.locator(f"#zoom-{name}").bounding_box()["y"]) for name in ("previous", "next", "close")
    }
    assert len(tops) == 1  # the ways on stay beside each other


def test_a_screen_reader_names_every_tile_and_hears_the_numbers(opened: Any) -> None:
    tree = opened.locator("#grid").aria_snapshot()
    options = [line for line in tree.splitlines() if "option" in line]
    assert len(options) == 12
    assert all(re.search(r"Class \d+, (kept|rejected), score 0\.\d\d, [\d,]+ particles", o) for o in options)
    assert "[selected]" in options[0]
    assert "[selected]" not in options[-1]
    assert opened.get_attribute("#grid", "aria-multiselectable") == "true"
    opened.keyboard.press("x")
    opened.wait_for_selector("#spoken:has-text('5 of 12 classes kept')", state="attached")
    unnamed = opened.eval_on_selector_all(
        "button, input, select",
        """all => all.filter(
            e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).length""",
    )
    assert unnamed == 0


def test_unsaved_work_survives_a_reload_and_another_browser_profile(opened: Any, drafts: Path) -> None:
    opened.keyboard.press("x")
    opened.reload()  # at once: the browser has it
    opened.wait_for_selector("body[data-ready]")
    assert kept(opened) == [11, 10, 9, 8, 7]
    assert opened.is_visible("#unsaved")
    opened.keyboard.press("ArrowRight")
    with opened.expect_response("**/review/draft"):
        opened.keyboard.press("x")
    opened.evaluate("localStorage.clear()")  # as in another browser: the disk has it
    opened.reload()
    opened.wait_for_selector("body[data-ready]")
    assert kept(opened) == [10, 9, 8, 7]


def test_saving_writes_files_and_labels_only_when_asked(opened: Any, saved: list[Decision]) -> None:
    opened.keyboard.press("x")
    opened.keyboard.press("s")
    assert opened.is_checked("input[name=labels][value=none]")
    opened.keyboard.press("Enter")
    opened.wait_for_selector("#saved:not([hidden])")
    assert "class_averages.star" in text(opened, "saved-lines")
    assert saved[0].labels == "none"
    assert saved[0].kept.tolist() == [False] * 6 + [True] * 5 + [False]
    opened.click("#saved-close")
    assert opened.is_hidden("#unsaved")
    opened.click("#save")
    opened.check("input[name=labels][value=hand]")
    opened.click("#save-go")
    opened.wait_for_selector("#saved:not([hidden])")
    assert saved[1].labels == "hand"
    assert saved[1].by_hand.tolist() == [False] * 11 + [True]
    opened.reload()  # saved work is still there, and is not called unsaved
    opened.wait_for_selector("body[data-ready]")
    assert kept(opened) == [11, 10, 9, 8, 7]
    assert opened.is_hidden("#unsaved")


def test_help_lists_the_keys(opened: Any) -> None:
    opened.keyboard.press("?")
    assert opened.is_visible("#help")
    assert "Keep this and all above" in text(opened, "help-keys")
    opened.keyboard.press("Escape")
    assert opened.is_hidden("#help")


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)` (WCAG 2.2)."""
    channels = [int(c) / 255 for c in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_text_has_the_contrast_of_wcag_aa(opened: Any, theme: str) -> None:
    opened.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    colours = opened.evaluate("""() => {
        const probe = document.body.appendChild(document.createElement('i'));
        const of = name => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
        return Object.fromEntries(['bg', 'panel', 'raised', 'text', 'muted', 'kept', 'kept-soft', 'kept-ink',
            'rejected', 'rejected-soft', 'warn', 'focus'].map(n => [n, of(n)]));
    }""")
    pairs = [(ink, paper) for ink in ("text", "muted", "warn", "rejected") for paper in ("bg", "panel")]
    pairs += [("text", "raised"), ("muted", "raised"), ("kept-ink", "kept"), ("kept", "kept-soft")]
    pairs += [("text", "kept-soft"), ("rejected", "rejected-soft")]
    for ink, paper in pairs:
        lighter, darker = sorted([luminance(colours[ink]), luminance(colours[paper])], reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (ink, paper)
    for frame in ("kept", "focus"):  # 3 : 1 for what is not text
        lighter, darker = sorted([luminance(colours[frame]), luminance(colours["bg"])], reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 3, frame
