"""A library of 100,000 averages: open it, add a job, read a training epoch; harvest 1,000 jobs."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.library.labels import Labelling
from cryofed.library.store import Library
from cryofed.library.upkeep import verify

CLASSES = 100  # of a job


def job(seed: int, box: int) -> ClassJob:
    rng = np.random.default_rng(seed)
    return ClassJob(
        program="images",
        path=Path("somewhere"),
        name=f"job{seed}",
        averages=rng.standard_normal((CLASSES, box, box), dtype=np.float32),
        classes=ClassTable.unknown(CLASSES),
    )


def said(seed: int) -> Labelling:
    values = np.random.default_rng(seed).integers(0, 2, CLASSES).astype(np.float32)
    return Labelling(habit="binary", values=values, source=f"Select/job{seed}", made_at="2026-01-01")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="of 100 averages each")
    options, _ = parser.parse_known_args([] if argv is None else argv)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.db"
        with Library(path, create=True) as library:
            start = time.perf_counter()
            for seed in range(options.jobs):
                library.add(job(seed, 64), f"project {seed // 10}", [said(seed)])
            seconds = time.perf_counter() - start
            print(f"filled with {options.jobs * CLASSES} averages in {seconds:.1f} s")
        print(f"file: {path.stat().st_size / 1e9:.2f} GB")

        start = time.perf_counter()
        library = Library(path)
        library.find("")
        print(f"open: {time.perf_counter() - start:.4f} s")

        for box in (128, 256, 384):
            new = job(10**6 + box, box)
            start = time.perf_counter()
            library.add(new, "project 0", [said(box)])
            print(f"add a job of {CLASSES} classes of box {box}: {time.perf_counter() - start:.3f} s")

        library.labelled(held_out=True)  # decides the split
        for wide in (True, False):
            start = time.perf_counter()
            labelled = library.labelled(held_out=False, wide=wide)
            seconds = time.perf_counter() - start
            side = labelled.images.shape[-1]
            rate = len(labelled) / seconds
            print(f"read an epoch of {len(labelled)} ({side} px): {seconds:.2f} s, {rate:.0f} averages/s")

        start = time.perf_counter()
        projects = library.projects()
        print(f"info on {len(projects)} projects: {time.perf_counter() - start:.2f} s")
        start = time.perf_counter()
        assert verify(library) == []
        print(f"verify: {time.perf_counter() - start:.1f} s")
        library.close()


if __name__ == "__main__":
    main(sys.argv[1:])
