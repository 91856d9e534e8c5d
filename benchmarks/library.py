"""A library of 100,000 averages: open, add, read an epoch. Wall clock, and CPU seconds in brackets."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.library.labels import Labelling
from cryofed.library.store import Library
from cryofed.library.upkeep import verify

CLASSES = 100  # of a job


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="of 100 averages each")
    options = parser.parse_args([] if argv is None else argv)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.db"
        with Library(path, create=True) as library, timed(f"fill with {options.jobs * CLASSES} averages"):
            for seed in range(options.jobs):
                library.add(job(seed, 64), f"project {seed // 10}", [said(seed)])
        print(f"file: {path.stat().st_size / 1e9:.2f} GB")
        with timed("open"):
            library = Library(path)
            library.find("")
        for box in (128, 256, 384):
            new = job(10**6 + box, box)
            with timed(f"add a job of {CLASSES} classes of box {box}"):
                library.add(new, "project 0", [said(box)])
        library.labelled(held_out=True)  # decides the split
        for side in (96, 64):
            n = sum(p.labelled for p in library.projects() if not p.held_out)
            with timed(f"read an epoch of {n} averages of {side} px", n):
                library.labelled(held_out=False, wide=side == 96)
        with timed("info"):
            library.projects()
        with timed("verify"):
            problems = verify(library)
        print("\n".join(problems) or "whole")
        library.close()


@contextmanager
def timed(what: str, n: int = 0) -> Iterator[None]:
    start, cpu = time.perf_counter(), time.process_time()
    yield
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    rate = f", {n / seconds:.0f} a second ({n / cpu:.0f} a CPU second)" if n else ""
    print(f"{what}: {seconds:.4f} s ({cpu:.4f} s){rate}", flush=True)


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


if __name__ == "__main__":
    main(sys.argv[1:])
