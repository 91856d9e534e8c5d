"""`python docs/make_pictures.py [NAME ...]`: the pictures of the documentation, from simulated data."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.measuring.browser import chromium, served

IMAGES = Path(__file__).with_name("images")
EXAMPLE = "/data/my-project"  # stands in the pictures for the folder that they were made in


def simulated_project(folder: Path) -> Path:
    """A RELION project with one 2D classification of 100 classes; returns the job's folder."""
    from cryofed.simulation.classes.job import simulate_job
    from cryofed.simulation.files.relion import write_class2d
    from cryofed.simulation.molecules.shapes import random_molecule
    from cryofed.simulation.particles.table import particles
    from cryofed.simulation.spec import Spec

    molecule = random_molecule(np.random.default_rng(1), "molecule", "dihedral")
    mask = round(molecule.diameter_angstrom / 0.78)
    spec = Spec(
        name="Class2D/job012", molecules=(molecule,), box=128, pixel_size_angstrom=round(mask / 115, 3),
        mask_diameter_angstrom=float(mask), classes=100, particles=60_000, junk_share=0.4,
        resolution_ratio=0.06, halo=0.25,
    )  # fmt: skip
    simulated = simulate_job(spec, 1)
    rows = particles(spec, simulated.job.classes.particles, np.random.default_rng(0))
    write_class2d(folder, spec.name, spec, simulated, rows=rows, stack="Extract/job002/particles.mrcs")
    return folder / spec.name


def shoot(page: Any, name: str) -> None:
    """Write `images/<name>.png`, in full colour."""
    page.wait_for_timeout(400)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.save(IMAGES / f"{name}.png", optimize=True)
    print(f"{name}.png: {(IMAGES / f'{name}.png').stat().st_size / 1000:.0f} kB")


def review(folder: Path) -> None:
    """The gallery in light and dark, and one class large."""
    from cryofed.jobs.opening import open_job
    from cryofed.web.review.of_job import open_review
    from cryofed.web.review.routes import review_app

    job = simulated_project(folder)
    gallery, saving = open_review(open_job(job), out=None, library=folder / "site.db", model=None, say=print)
    with served(review_app(gallery, saving, folder / "drafts")) as address, chromium(1440, 900) as browser:
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        page.evaluate("document.getElementById('size').value = 116")
        page.eval_on_selector("#size", "e => e.dispatchEvent(new Event('input'))")
        # Where kept and rejected meet, with one class set by hand.
        page.evaluate(
            "document.querySelector('.tile[aria-selected=false]').scrollIntoView({block: 'center'})"
        )
        page.click(".tile[aria-selected=false] >> nth=1")
        for theme in ("light", "dark"):
            page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            shoot(page, f"review-{theme}")
        page.keyboard.press("Home")
        page.keyboard.press("Enter")
        page.wait_for_selector("#zoom-spectrum[width='128']")
        shoot(page, "review-zoom")
        page.keyboard.press("Escape")
        page.set_viewport_size({"width": 390, "height": 844})
        shoot(page, "review-narrow")


def report(folder: Path) -> None:
    """The report of `cryofed select`, in light and dark."""
    from cryofed.cli.main import main as cryofed

    job = simulated_project(folder)
    cryofed(["select", str(job), "--force"])
    written = job.with_name(f"{job.name}_selected") / "report.html"
    written.write_text(written.read_text().replace(str(folder), EXAMPLE))
    with chromium(1440, 900) as browser:
        page = browser.new_page()
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.goto(written.as_uri())
            shoot(page, f"report-{theme}")


def monitor(folder: Path) -> None:
    """A finished campaign of three simulated sites, run by the embedded engine."""
    from cryofed.cli.main import main as cryofed
    from cryofed.web.monitor.facts import find_plan
    from cryofed.web.monitor.routes import monitor_app

    cryofed(["simulate", "sites", "--sites", "3", "--jobs", "6", "--out", str(folder / "sites")])
    libraries = []
    for number in (1, 2, 3):
        library = folder / f"site-{number}.db"
        cryofed(["harvest", str(folder / "sites" / f"site-{number}"), "--library", str(library)])
        libraries.append(f"site-{number}={library}")
    plan = folder / "alps.toml"
    sites = ",".join(libraries)
    cryofed(["federation", "new", str(plan), "--name", "alps", "--sites", sites, "--rounds", "8", "--whole"])
    text = plan.read_text()
    for before, after in (
        ("cross_site = false", "cross_site = true"),
        ("steps = 30", "steps = 3"),
        ("learning_rate = 0.0001", "learning_rate = 0.001"),
        ("last_rate = 0.05", "last_rate = 1.0"),
        ("batch = 64", "batch = 16"),
        ("seed = 1 ", "seed = 7 "),
        ("dropout = 0.0 ", "dropout = 0.1 "),
        ("min_updates = 2", "min_updates = 1"),
    ):
        text = text.replace(before, after)
    plan.write_text(text)
    cryofed(["federation", "run", str(plan), "--from-scratch", "--campaigns", "2"])
    with (
        served(monitor_app(folder / "alps", find_plan(folder / "alps"))) as address,
        chromium(1440, 1080) as browser,
    ):
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        for theme in ("light", "dark"):
            page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            shoot(page, f"monitor-{theme}")


MAKERS = {"review": review, "report": report, "monitor": monitor}


def main() -> None:
    """Make the pictures that were named, or all."""
    unknown = set(sys.argv[1:]) - set(MAKERS)
    if unknown:
        sys.exit(f"no picture {', '.join(sorted(unknown))}; there are: {', '.join(MAKERS)}")
    IMAGES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or MAKERS:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            MAKERS[name](Path(folder))


if __name__ == "__main__":
    main()
