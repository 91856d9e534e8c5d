"""How fast class averages are simulated, with one process and with two."""

from __future__ import annotations

import os
import time

from cryofed.simulation.corpus import corpus, corpus_job

JOBS = 40
SEED = 3


def main() -> None:
    corpus_job(SEED, JOBS)  # imports and tables
    start, cpu = time.perf_counter(), time.process_time()
    averages = sum(len(job.truth.good) for job in corpus(JOBS, SEED))
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(f"{averages} averages of {JOBS} jobs, one process: {averages / wall:.0f} a second by the clock,")
    print(f"{averages / cpu:.0f} a second of processor time")
    start = time.perf_counter()
    averages = sum(len(job.truth.good) for job in corpus(2 * JOBS, SEED, workers=2))
    wall = time.perf_counter() - start
    print(f"two processes, their start included: {averages / wall:.0f} a second by the clock")
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
