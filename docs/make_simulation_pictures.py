"""Make the pictures of docs/simulation.md: `python docs/make_simulation_pictures.py`.

Molecules by kind, junk by kind, whole jobs of each finish with their truth, and the graded target.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cryofed.simulation.classes.job import simulate_job
from cryofed.simulation.molecules.shapes import KINDS, random_molecule
from cryofed.simulation.spec import JUNK_SHARES, Spec, random_spec
from cryofed.simulation.classes.truth import SimulatedJob

IMAGES = Path(__file__).parent / "images"
SIDE = 62  # pixels of a tile
INK, GOOD, BAD, BORDER = (30, 30, 30), (24, 140, 60), (190, 40, 40), (200, 150, 0)


def grey(average: NDArray[np.float32]) -> Image.Image:
    """One average as an 8-bit tile."""
    low, high = np.percentile(average, (0.5, 99.7))
    levels = np.clip((average - low) / max(high - low, 1e-9), 0, 1) * 255
    return Image.fromarray(levels.astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def sheet(rows: list[tuple[str, list[tuple[NDArray[np.float32], str, tuple[int, int, int]]]]]) -> Image.Image:
    """Rows of captioned tiles with a name before each."""
    across = max(len(tiles) for _, tiles in rows)
    lines = max(text.count("\n") for _, tiles in rows for _, text, _ in tiles)
    height = SIDE + 16 + 11 * lines
    page = Image.new("RGB", (92 + across * (SIDE + 4), len(rows) * height + 2), "white")
    pen = ImageDraw.Draw(page)
    for r, (name, tiles) in enumerate(rows):
        y = r * height + 2
        pen.text((3, y + SIDE // 2 - 6), name, fill=INK)
        for c, (average, text, colour) in enumerate(tiles):
            x = 92 + c * (SIDE + 4)
            pen.rectangle((x - 1, y - 1, x + SIDE, y + SIDE), outline=colour, width=1)
            page.paste(grey(average), (x, y))
            pen.multiline_text((x, y + SIDE + 1), text, fill=colour, spacing=0)
    return page


def palette() -> Image.Image:
    """56 even greys and the few colours of frames and captions."""
    greys = [(round(i * 255 / 55),) * 3 for i in range(56)]
    softer = [tuple((c + 255) // 2 for c in colour) for colour in (GOOD, BAD, BORDER)]
    colours = [*greys, GOOD, BAD, BORDER, *softer]
    picture = Image.new("P", (1, 1))
    picture.putpalette([value for colour in colours for value in colour])
    return picture


def save(page: Image.Image, name: str) -> None:
    """Write one page in few enough colours for a repository."""
    page.quantize(palette=palette(), dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)
    print(f"{IMAGES / name}: {(IMAGES / name).stat().st_size // 1000} kB")


def plain(rng: np.random.Generator, kind: str, **changes: object) -> Spec:
    """A RELION job of one molecule in middling conditions."""
    molecule = random_molecule(rng, kind, kind)
    spec = random_spec(rng, kind, (molecule,), (96,), finish="masked")
    base = replace(
        spec, negative_stain=False, halo=0.4, b_factor=90.0, grain=0.0, neighbours=0.0, eight_bit=False,
        preferred_views=0, resolution_ratio=max(0.07, 9 / molecule.diameter_angstrom), classes=8,
        junk_share=0.0,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def molecules() -> None:
    """Eight averages of one molecule of each kind."""
    rng = np.random.default_rng(5)
    rows = []
    for kind in KINDS:
        spec = plain(rng, kind, particles=6400)
        job = simulate_job(spec, 1)
        size = f"{spec.molecules[0].diameter_angstrom / 10:.0f} nm"
        rows.append((f"{kind}\n{size}", [(a, "", INK) for a in job.job.averages[:8]]))
    save(sheet(rows), "simulation-molecules.png")


def junk() -> None:
    """Eight averages of each kind of junk."""
    rows = []
    for kind in JUNK_SHARES:
        tiles = []
        for seed in range(3):
            rng = np.random.default_rng([7, seed])
            finish = ("masked", "windowed", "raw")[seed]
            molecule = str(rng.choice(["complex", "dihedral", "cyclic", "barrel"]))
            spec = plain(
                rng, molecule, junk={kind: 1.0}, junk_share=0.5, particles=1600, resolution_ratio=0.12
            )
            job = simulate_job(replace(spec, finish=finish), seed)
            which = [i for i, k in enumerate(job.truth.junk) if k == kind][:2]
            tiles += [(job.job.averages[i], "", INK) for i in which]
        rows.append((kind.replace(" ", "\n", 1), tiles))
    half = len(rows) // 2
    left, right = sheet(rows[:half]), sheet(rows[half:])
    page = Image.new("RGB", (left.width + right.width + 12, max(left.height, right.height)), "white")
    page.paste(left, (0, 0))
    page.paste(right, (left.width + 12, 0))
    save(page, "simulation-junk.png")


def caption(job: SimulatedJob, i: int) -> tuple[NDArray[np.float32], str, tuple[int, int, int]]:
    """An average with its quality and junk kind, in the colour of its verdict."""
    truth = job.truth
    colour = BORDER if truth.borderline[i] else GOOD if truth.good[i] else BAD
    return job.job.averages[i], "\n".join([f"{truth.quality[i]:.2f}", *wrap(truth.junk[i], 10)]), colour


def jobs() -> None:
    """Whole jobs of each finish, best classes first."""
    rows = []
    for seed, finish in ((11, "masked"), (12, "masked"), (13, "windowed"), (14, "raw"), (15, "raw")):
        rng = np.random.default_rng(seed)
        molecule = random_molecule(rng, kind="chain") if seed == 15 else None
        spec = random_spec(rng, "job", (molecule,) if molecule else None, (96,), finish=finish)  # type: ignore[arg-type]
        spec = replace(spec, classes=24, junk_share=0.5, negative_stain=seed == 15)
        job = simulate_job(spec, seed)
        order = np.argsort(-job.truth.quality, kind="stable")
        name = "negative\nstain" if seed == 15 else finish
        rows.append((name, [caption(job, i) for i in order[:12]]))
        rows.append(("", [caption(job, i) for i in order[12:]]))
    save(sheet(rows), "simulation-jobs.png")


def graded() -> None:
    """The same molecule from perfect to hopeless."""
    rng = np.random.default_rng(21)
    spec = plain(rng, "dihedral", classes=90, particles=5000, resolution_ratio=0.16, junk_share=0.1)
    job = simulate_job(replace(spec, junk={"few particles": 1.0}), 4)
    truth = job.truth
    rows = []
    for low in (0.9, 0.7, 0.5, 0.3, 0.0):
        inside = np.flatnonzero((truth.quality >= low) & (truth.quality < low + 0.2))[:9]
        tiles = []
        for i in inside:
            average, _, colour = caption(job, int(i))
            tiles.append((average, f"{truth.quality[i]:.2f} r{truth.resolution_ratio[i]:.2f}", colour))
        if tiles:
            rows.append((f"{low:.1f} to {min(low + 0.2, 1):.1f}", tiles))
    save(sheet(rows), "simulation-truth.png")


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    molecules()
    junk()
    jobs()
    graded()
