"""Whole sites on disk: projects of finished 2D classifications, labelled as each site's expert labels."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from cryofed.errors import InputError, OutputError
from cryofed.simulation.classes.habits import HABITS, Habit, label
from cryofed.simulation.classes.job import simulate_job
from cryofed.simulation.files.cryosparc import write_class_2d, write_select_2d
from cryofed.simulation.files.relion import write_class2d
from cryofed.simulation.files.relion_select import class2d_step, pipeline, select_step, write_select
from cryofed.simulation.molecules.shapes import KINDS, random_molecule
from cryofed.simulation.particles.table import particles
from cryofed.simulation.spec import Spec, random_spec
from cryofed.workers import in_order

STACK = "Extract/job002/particles.mrcs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """How one lab differs from the others: its molecules, camera, boxes, noise, junk and hand."""

    name: str
    cryosparc: bool
    kinds: tuple[str, ...]
    boxes: tuple[int, ...]
    voltage_kv: float
    noisier: float  # factor on the resolution ratio
    junk_share: float
    habit: Habit


def draw_site(number: int, seed: int, *, cryosparc: bool = False) -> Site:
    """Site `number` (from 1) of `seed`; its labelling habit is the next of the list."""
    rng = np.random.default_rng([seed, number])
    names = list(KINDS)
    shares = np.array([share for share, _ in KINDS.values()])
    kinds = rng.choice(names, 5, replace=False, p=shares / shares.sum())
    boxes = [(64, 80), (80, 96), (96, 128)][(number - 1) % 3]
    return Site(
        name=f"site-{number}",
        cryosparc=cryosparc,
        kinds=tuple(str(k) for k in kinds),
        boxes=boxes,
        voltage_kv=float(rng.choice([200.0, 300.0])),
        noisier=float(np.exp(rng.uniform(-0.3, 0.35))),
        junk_share=float(rng.uniform(0.25, 0.7)),
        habit=HABITS[(number - 1) % len(HABITS)],
    )


def apart(sites: list[Site], seed: int) -> list[Site]:
    """The same labs, each with its own kinds of molecules: all kinds, dealt out one by one."""
    kinds = [str(kind) for kind in np.random.default_rng(seed).permutation(sorted(KINDS))]
    return [replace(site, kinds=tuple(kinds[i % len(kinds) :: len(sites)])) for i, site in enumerate(sites)]


def write_sites(
    out: Path,
    sites: int,
    jobs_per_site: int,
    seed: int,
    *,
    jobs_per_project: int = 2,
    cryosparc: int = 0,
    own_kinds: bool = False,
    workers: int = 1,
    progress: Callable[[], object] | None = None,
) -> list[Path]:
    """Make `out/site-1` …, each with projects `project-1` … of `jobs_per_project` jobs; returns the sites.

    A project is one molecule (sometimes two) classified several times; the last `cryosparc` sites use
    CryoSPARC, the others RELION. With `own_kinds` the kinds of molecules are dealt out: no two sites share
    one, as long as there are kinds enough. `out` must not exist or be empty: it is filled at once, at the
    end. The files depend on the seed only. `progress` is called after each project.
    """
    if sites < 1 or jobs_per_site < 1 or jobs_per_project < 1:
        raise InputError(str(out), "number", "less than 1", "give at least one site, job and job per project")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(out, "folder", "it exists and is not empty", "name a new folder")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise OutputError(
            out, "folder", error.strerror or "cannot be made", "name a folder that can be written"
        ) from None
    try:
        drawn = [draw_site(i, seed, cryosparc=i > sites - cryosparc) for i in range(1, sites + 1)]
        drawn = apart(drawn, seed) if own_kinds else drawn
        tasks = list(_projects(drawn, jobs_per_site, jobs_per_project))
        for _ in in_order(write_project, repeat(scratch), repeat(seed), tasks, workers=workers):
            if progress:
                progress()
        scratch.chmod(0o755)
        scratch.replace(out)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return [out / site.name for site in drawn]


def _projects(sites: list[Site], jobs: int, per_project: int) -> Iterator[tuple[Site, int, int]]:
    """Site, project number and number of jobs in it."""
    for site in sites:
        for number, first in enumerate(range(0, jobs, per_project), start=1):
            yield site, number, min(per_project, jobs - first)


def write_project(out: Path, seed: int, task: tuple[Site, int, int]) -> None:
    """One project of one site with all its jobs."""
    site, number, jobs = task
    project = out / site.name / f"project-{number}"
    project.mkdir(parents=True)
    rng = np.random.default_rng([seed, int(site.name.rpartition("-")[2]), number])
    count = 2 if rng.random() < 0.2 else 1
    molecules = tuple(
        random_molecule(rng, f"{site.name}.{number}.{i + 1}", str(rng.choice(site.kinds)))
        for i in range(count)
    )
    first = random_spec(rng, "job", molecules, site.boxes, finish="windowed" if site.cryosparc else "masked")
    steps = []
    for i in range(jobs):
        spec = _again(site, first, rng)
        simulated = simulate_job(spec, np.random.SeedSequence([seed, int(rng.integers(2**32))]))
        rows = particles(spec, simulated.job.classes.particles, rng)
        labels = label(simulated.truth, site.habit, rng)
        if site.cryosparc:
            class2d, select = f"J{10 + 2 * i}", f"J{11 + 2 * i}"
            write_class_2d(project, class2d, spec, simulated, rows)
            write_select_2d(project, select, class2d, labels)
        else:
            class2d, select = f"Class2D/job{10 + 2 * i:03d}", f"Select/job{11 + 2 * i:03d}"
            write_class2d(project, class2d, spec, simulated, rows=rows, stack=STACK)
            write_select(project, select, class2d, simulated, labels)
            steps += [class2d_step(class2d, "Extract/job002/particles.star"), select_step(select, class2d)]
    if not site.cryosparc:
        start = ("Extract/job002/particles.star", "ParticlesData.star.relion")
        (project / "default_pipeline.star").write_text(pipeline(steps, start))


def _again(site: Site, spec: Spec, rng: np.random.Generator) -> Spec:
    """The same project classified again: other numbers of classes and particles, T, junk and noise."""
    classes = int(rng.integers(20, 61))
    ratio = spec.resolution_ratio * site.noisier * float(np.exp(rng.normal(0, 0.2)))
    return replace(
        spec,
        program="cryosparc" if site.cryosparc else "relion",
        microscope=replace(spec.microscope, voltage_kv=site.voltage_kv),
        classes=classes,
        particles=int(classes * np.exp(rng.uniform(np.log(60), np.log(350)))),
        junk_share=float(np.clip(site.junk_share + rng.normal(0, 0.12), 0.08, 0.9)),
        resolution_ratio=float(np.clip(ratio, 0.05, 0.3)),
        tau_fudge=float(rng.choice([1.0, 2.0, 4.0])),
        mask_diameter_angstrom=float(round(spec.mask_diameter_angstrom * rng.uniform(0.93, 1.05))),
        eight_bit=False,
    )
