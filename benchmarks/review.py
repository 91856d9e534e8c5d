"""How fast the review page is: 500 classes of box 256 in headless Chromium without a GPU."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring.browser import chromium, served

N, BOX = 500, 256
LIMITS = {"first paint": 1000, "toggle": 50}  # ms; the promises that a test holds

# From the event to the frame that shows it: a message posted in an animation frame arrives after its paint.
MEASURE = """async () => {
  const frame = () => new Promise(done => requestAnimationFrame(() => {
    const after = new MessageChannel();
    after.port1.onmessage = () => done(performance.now());
    after.port2.postMessage(0);
  }));
  const many = async (acts) => {
    const times = [];
    for (const act of acts) {
      await frame();
      const begun = performance.now();
      act();
      times.push(await frame() - begun);
    }
    return times;
  };
  const set = (id, value) => () => {
    const control = document.getElementById(id);
    control.value = value;
    for (const name of ['input', 'change']) control.dispatchEvent(new Event(name));
  };
  const tiles = [...document.querySelectorAll('.tile')].slice(0, 20);
  const steps = [...Array(20).keys()];
  return {
    'toggle': await many(tiles.map(tile => () => tile.click())),
    'threshold step': await many(steps.map(k => set('threshold', k / 20))),
    'sort': await many([...document.getElementById('sort').options].map(o => set('sort', o.value))),
    'contrast step': await many(steps.map(k => set('contrast', 5 * k))),
  };
}"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
PICTURES = "performance.getEntriesByName('painted')[0].startTime"


def gallery() -> Any:
    """Noise with a blob: what is in the pictures does not change the time."""
    from cryofed.web.review.gallery import Gallery

    rng = np.random.default_rng(0)
    y, x = np.indices((BOX, BOX)) - BOX // 2
    blob = np.exp(-(x**2 + y**2) / (2 * (BOX / 8) ** 2))
    averages = (blob + rng.normal(0, 0.3, (N, BOX, BOX))).astype(np.float32)
    score = rng.random(N)
    return Gallery(
        title="500 classes", detail="benchmark", averages=averages, radius_px=BOX / 2.2,
        pixel_size_angstrom=1.0, number=np.arange(1, N + 1), particles=rng.integers(10, 20_000, N),
        resolution_angstrom=rng.uniform(4, 20, N), score=score, unsure=np.abs(score - 0.5) < 0.1,
        reason=tuple("" if s >= 0.5 else "noise or over-fitted" for s in score),
        view=rng.integers(0, 40, N), label=np.full(N, np.nan), start=score >= 0.5, pinned=("",) * N,
        threshold=0.5,
    )  # fmt: skip


def measure(reloads: int = 5) -> dict[str, list[float]]:
    """Milliseconds of each action."""
    from cryofed.web.review.routes import Saving, review_app

    with tempfile.TemporaryDirectory() as drafts:
        begun = time.perf_counter()
        app = review_app(gallery(), Saving(files="none", library="", save=lambda _: []), Path(drafts))
        times: dict[str, list[float]] = {"thumbnails (once)": [1000 * (time.perf_counter() - begun)]}
        with served(app) as address, chromium() as browser:
            page = browser.new_page()
            page.goto(address)
            page.wait_for_selector("body[data-ready]")
            times |= {"first paint": [], "pictures painted": []}
            for _ in range(reloads):
                page.reload()
                page.wait_for_selector("body[data-ready]")
                times["first paint"].append(page.evaluate(PAINT))
                times["pictures painted"].append(page.evaluate(PICTURES))
            times |= page.evaluate(MEASURE)
            page.close()
    return times


def main() -> None:
    load, cores = os.getloadavg()[0], os.cpu_count()
    print(
        f"{N} classes, box {BOX}, headless Chromium, no GPU; milliseconds (load {load:.1f} on {cores} cores)"
    )
    for name, values in measure().items():
        limit = f"  (promised: under {LIMITS[name]})" if name in LIMITS else ""
        print(f"{name:18} median {statistics.median(values):6.0f}  worst {max(values):6.0f}{limit}")
