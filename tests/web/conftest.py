"""A gallery with known numbers, a server in a thread, and a real browser."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest

from cryofed.scoring.scorer import Scores
from cryofed.selection.taught import Teachable
from cryofed.web.review.gallery import Gallery

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def blobs(n: int, box: int) -> np.ndarray:
    """n different averages: a bright blob that grows with the index, in faint noise."""
    rng = np.random.default_rng(1)
    y, x = np.indices((box, box)) - box // 2
    width = box * (0.06 + 0.12 * np.arange(n) / n)[:, None, None]
    noise = rng.normal(0, 0.05, (n, box, box))
    return (np.exp(-(x**2 + (0.5 * y) ** 2) / (2 * width**2)) + noise).astype(np.float32)


def make_gallery(n: int = 12, box: int = 32) -> Gallery:
    """Class k (from 1) has score (k - 0.5) / n, 100 k particles, k + 3 Å, view 1 + k % 3; threshold 0.5."""
    number = np.arange(1, n + 1)
    score = (number - 0.5) / n
    label = np.full(n, np.nan)
    label[0], label[-1] = 1, 0  # the two that contradict the score most
    return Gallery(
        title="Class2D/job012",
        detail="RELION, test",
        averages=blobs(n, box),
        radius_px=box / 2,
        pixel_size_angstrom=2.0,
        number=number,
        particles=100 * number,
        resolution_angstrom=number + 3.0,
        score=score,
        unsure=np.abs(score - 0.5) < 0.1,
        reason=tuple("" if s >= 0.5 else "noise or over-fitted" for s in score),
        view=1 + number % 3,
        label=label,
        start=score >= 0.5,
        pinned=("",) * n,
        threshold=0.5,
    )


@pytest.fixture
def gallery() -> Gallery:
    return make_gallery()


@pytest.fixture
def taught_gallery() -> Gallery:
    """The same with pooled numbers: classes of odd number are one kind, those of even number the other."""
    gallery = make_gallery()
    pooled = np.random.default_rng(0).normal(0, 0.3, (12, 20)).astype(np.float32)
    pooled[::2] += np.linspace(-1, 1, 20)
    pooled[1::2] -= np.linspace(-1, 1, 20)
    scores = Scores(score=gallery.score, reasons=np.zeros((12, 7)), unsure=gallery.unsure, pooled=pooled)
    return replace(gallery, teachable=Teachable.of(scores, gallery.score, cut=0.5))


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve an application in a thread; returns the address that opens it."""
    from cryofed.web.server import guarded, open_port, server

    running = []

    def start(app: Any) -> str:
        opening = open_port()
        one = server(guarded(app, opening))
        thread = threading.Thread(target=one.run, kwargs={"sockets": [opening.listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 60
        while not one.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        running.append((one, thread, opening))
        return opening.address

    yield start
    for one, thread, opening in running:
        one.should_exit = True
        thread.join(20)
        opening.listener.close()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright; skipped where either is absent."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("chromium")),
            executable_path=CHROMIUM,
            args=list(FLAGS),
            viewport={"width": 1440, "height": 900},
            timeout=180_000,  # ms; on a busy machine a page takes its time
        )
        context.set_default_timeout(180_000)
        yield context
        context.close()


@pytest.fixture
def page(browser: Any, serve: Callable[..., str]) -> Iterator[Any]:
    """A fresh tab; a script error or a refused resource fails the test.

    It asks for `serve` so that the tab closes before its server stops: else its last request is refused.
    Not so a 409: the browser prints it where a page that is behind another is told so.
    """
    tab = browser.new_page()
    trouble: list[str] = []
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.on(
        "console",
        lambda message: (
            trouble.append(message.text)
            if message.type == "error" and "status of 409" not in message.text
            else None
        ),
    )
    yield tab
    tab.close()
    assert not trouble


@pytest.fixture
def until() -> Callable[[Any, str], None]:
    """Wait until an expression holds on a page.

    Playwright's own `wait_for_function` runs `eval` on the page. Our pages forbid it by their content
    security policy, so it works only where the expression holds at the first look.
    """

    def wait(tab: Any, expression: str) -> None:
        deadline = time.monotonic() + 60
        while not tab.evaluate(expression):
            assert time.monotonic() < deadline, f"never true: {expression}"
            tab.wait_for_timeout(50)  # ms

    return wait


@pytest.fixture
def barriers() -> Callable[[Any], list[str]]:
    """What axe-core finds on a page, in light and in dark: a rule and a place each."""
    module = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    axe = module.Axe()

    def found(tab: Any) -> list[str]:
        told = []
        for theme in ("light", "dark"):
            tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
            if tab.evaluate("'theme' in document.documentElement.dataset"):  # a page that offers the choice
                tab.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
            for rule in axe.run(tab).response["violations"]:
                told += [f"{theme}: {rule['id']}: {node['html'][:160]}" for node in rule["nodes"]]
        return told

    return found


@pytest.fixture
def tiny_letters() -> Callable[[Any], list[str]]:
    """Words of drawings that stand smaller than 9 pixels on a page, as a picture that shrinks makes them."""
    script = """[...document.querySelectorAll("svg text")].filter((text) => {
        const scale = text.getScreenCTM().a;
        return scale * parseFloat(getComputedStyle(text).fontSize) < 9;
    }).map((text) => text.textContent)"""

    def found(tab: Any) -> list[str]:
        return list(tab.evaluate(script))

    return found


@pytest.fixture
def drafts(tmp_path: Path) -> Path:
    return tmp_path / "drafts"


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sites of one project with two jobs each: `site-1` RELION, `site-2` CryoSPARC. Only read it."""
    from cryofed.simulation.sites import write_sites

    out = tmp_path_factory.mktemp("simulated") / "sites"
    write_sites(out, 2, 2, seed=3, cryosparc=1)
    return out


@pytest.fixture
def relion_job(simulated: Path, tmp_path: Path) -> Path:
    """A RELION 2D classification in a project of its own, with the Select job that an expert made of it."""
    shutil.copytree(simulated / "site-1" / "project-1", tmp_path / "project")
    return tmp_path / "project" / "Class2D" / "job010"


@pytest.fixture
def cryosparc_job(simulated: Path, tmp_path: Path) -> Path:
    shutil.copytree(simulated / "site-2" / "project-1", tmp_path / "cryosparc")
    return tmp_path / "cryosparc" / "J10"
