"""No page keeps anybody out: axe-core finds no violation. The monitor's test is in test_monitor.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryofed.cli.main import main
from cryofed.web.review.gallery import Gallery
from cryofed.web.review.routes import Saving, review_app

Barriers = Callable[[Any], list[str]]


def test_review(
    page: Any, taught_gallery: Gallery, serve: Callable[..., str], drafts: Path, barriers: Barriers
) -> None:
    cuts = {"strict": 0.7, "balanced": 0.5, "lenient": 0.2}
    gallery = replace(taught_gallery, cuts=cuts, max_loss=0.1, warnings=("a note",))
    saving = Saving(files="Writes Select/job013.", library="site.db", save=lambda _: ["a file"])
    page.goto(serve(review_app(gallery, saving, drafts)))
    page.wait_for_selector("body[data-ready]")
    for opened in page.query_selector_all("details:not([open]) > summary"):
        opened.click()
    page.select_option("#scale", "relion-colour")
    page.focus("#class-12")
    page.keyboard.press("Shift+Digit2")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.wait_for_selector("#learning-switch:not([hidden])")
    assert barriers(page) == []
    page.keyboard.press("m")
    assert barriers(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_selector("#zoom-spectrum[width='32']")
    assert barriers(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert barriers(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    page.wait_for_selector("#save-doubt:not([hidden])")
    assert barriers(page) == []
    page.close()


def test_review_on_a_narrow_screen(
    page: Any, gallery: Gallery, serve: Callable[..., str], drafts: Path, barriers: Barriers
) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(serve(review_app(gallery, Saving(files="", library="", save=lambda _: []), drafts)))
    page.wait_for_selector("body[data-ready]")
    assert barriers(page) == []
    page.close()


def test_report(page: Any, relion_job: Path, barriers: Barriers, tiny_letters: Barriers) -> None:
    assert main(["select", str(relion_job), "--force"]) == 0
    page.goto((relion_job.with_name("job010_selected") / "report.html").as_uri())
    page.click("details summary")
    assert barriers(page) == []
    for width in (320, 390, 720):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert tiny_letters(page) == []
        dot, box = page.locator(".dot.k").first, page.locator("svg.scores")
        assert dot.evaluate("e => getComputedStyle(e).vectorEffect") == "non-scaling-stroke"
        assert box.bounding_box()["height"] == 84  # of the viewBox: what is stretched is the width alone
    assert barriers(page) == []
    page.locator(".grid .pic").first.click()
    assert page.is_visible("#zoom-picture")
    assert page.get_attribute("#zoom-picture", "alt").startswith("class ")
    assert barriers(page) == []
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    page.locator(".copy").first.click()
    # Copying is not done when the click returns.
    page.wait_for_selector(f"#said:has-text('{relion_job}')", state="attached")


def test_watch(page: Any, relion_job: Path, barriers: Barriers) -> None:
    project = relion_job.parents[1]
    assert main(["watch", str(project), "--once", "--settle", "0"]) == 0
    page.goto((project / "CryoFed" / "index.html").as_uri())
    assert "http-equiv" not in page.content()  # a person stops the page from reloading, see below
    assert page.is_checked("#renew")
    assert barriers(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.querySelector('.scroll'))") == 0
    assert "Classes kept: " in page.locator("td[data-name='Classes kept']").first.evaluate(
        "e => getComputedStyle(e, '::before').content"
    )
    assert barriers(page) == []
    page.uncheck("#renew")
    page.reload()
    assert not page.is_checked("#renew")
