"""Many simulated jobs from one seed, made by several processes; the bits do not depend on how many."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import numpy as np

from cryofed.simulation.classes.job import simulate_job
from cryofed.simulation.classes.truth import SimulatedJob
from cryofed.simulation.molecules.structures import read_structure, structure_files
from cryofed.simulation.spec import random_spec
from cryofed.workers import in_order

FROM_FILES = 0.5  # share of jobs whose molecule is read, where there are files


def corpus(
    jobs: int, seed: int, workers: int = 1, *, start: int = 0, structures: Path | None = None
) -> Iterator[SimulatedJob]:
    """Jobs `start` … `start + jobs - 1` of the corpus of `seed`, in order, each with its own molecules.

    Job i depends on `seed` and i only. With `structures`, half of the jobs take their molecule from that
    folder.
    """
    numbers = range(start, start + jobs)
    yield from in_order(corpus_job, repeat(seed), numbers, repeat(structures), workers=workers, chunk=2)


def corpus_job(seed: int, number: int, structures: Path | None = None) -> SimulatedJob:
    """Job `number` of the corpus of `seed`."""
    settings, noise = np.random.SeedSequence([seed, number]).spawn(2)
    rng = np.random.default_rng(settings)
    molecules = None
    if structures is not None and rng.random() < FROM_FILES:
        files = structure_files(structures)
        molecules = (read_structure(files[int(rng.integers(len(files)))]),)
    return simulate_job(random_spec(rng, f"{seed}-{number:05d}", molecules), noise)
