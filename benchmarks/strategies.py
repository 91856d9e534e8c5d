"""All strategies on five simulated sites: how the sites differ, who attacks, and what it costs.

`python -m benchmarks strategies` fills a cache cell by cell (a run that was stopped goes on) and writes
the tables and plots of docs/strategies.md. `python -m benchmarks.strategies --help` says what else.

The grid runs on a small network (an eighth of the shipped one's numbers, pictures of 32 × 32), so that a
laptop can afford it: a cell takes about ten seconds.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from benchmarks._attacks import ATTACKS
from benchmarks._cells import BASELINES, Cell, result
from benchmarks._strategy_tables import CODECS, write_page
from benchmarks._worlds import SPLITS
from cryofed.federation.strategies.registry import STRATEGIES

QUICK = 14  # cells: baselines, FedAvg, robust, their finish, robust under attacks
FINISHED = ("fedavg", "robust")
FINISHES = ("site", "half")
ROBUST = ("norm-bounded", "median", "trimmed-mean", "geometric-median", "krum", "multi-krum")


def grid(seeds: list[int]) -> list[Cell]:
    """All cells, the most telling first: whoever stops early has these."""
    first, *more = seeds
    cells = _core(first)
    cells += [Cell(attack=attack, seed=first) for attack in ATTACKS]
    cells += [cell for seed in more for cell in _core(seed)]
    cells += [Cell(strategy=name, seed=first) for name in STRATEGIES]
    cells += [Cell(seed=seed, **codec) for seed in seeds for codec in CODECS.values()]
    cells += _splits(first, (*BASELINES, *FINISHED, "personal", "scaffold"))
    cells += [Cell(epsilon=8.0, seed=first), Cell(epsilon=8.0, seed=first, jobs=48), Cell(jobs=48)]
    cells += [Cell(strategy=name, seed=seed) for seed in more for name in STRATEGIES]
    cells += _splits(first, tuple(STRATEGIES))
    cells += [
        Cell(strategy=name, attack=attack, seed=first)
        for name in ROBUST
        for attack in ATTACKS
        if not (attack == "nan" and "krum" in name)  # NaN is refused, and four updates are too few for Krum
    ]
    cells += [cell for seed in more for cell in _splits(seed, (*BASELINES, *FINISHED, "personal"))]
    return list(dict.fromkeys(cells))


def _core(seed: int) -> list[Cell]:
    """What the page's claims rest on."""
    cells = [Cell(strategy=name, seed=seed) for name in (*BASELINES, *FINISHED)]
    cells += [Cell(strategy=n, seed=seed, finish=f) for n in FINISHED for f in FINISHES]
    cells += [Cell(strategy="robust", attack=attack, seed=seed) for attack in ATTACKS]
    return [*cells, Cell(strategy="robust", absent=1, seed=seed)]


def _splits(seed: int, names: tuple[str, ...]) -> list[Cell]:
    """These strategies where sites differ in other ways."""
    cells = []
    for split in [split for split in SPLITS if split != "mixed"]:
        cells += [Cell(split=split, strategy=name, seed=seed) for name in names]
        known = [name for name in names if name in FINISHED]
        cells += [Cell(split=split, strategy=n, seed=seed, finish=f) for n in known for f in FINISHES]
    return cells


def main(arguments: list[str] | None = None) -> None:
    """Fill the cache and write the page's tables and plots."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strategies", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="run seeds 1 to this (default 3)")
    parser.add_argument("--quick", action="store_true", help="the first cells of seed 1 only")
    parser.add_argument("--minutes", type=float, default=1e9, help="start no cell after so many minutes")
    parser.add_argument("--only-write", action="store_true", help="write from what the cache holds")
    options = parser.parse_args([] if arguments is None else arguments)
    cells = grid(list(range(1, options.seeds + 1)))
    if options.quick:
        cells = cells[:QUICK]
    end = time.monotonic() + 60 * options.minutes
    for number, cell in enumerate(cells, 1):
        if options.only_write or time.monotonic() > end:
            break
        if cell.path.exists():
            continue
        told = result(cell)
        final = told.get("final") or np.mean(told["each"])
        print(f"{number}/{len(cells)} {cell.path.stem}: AUC {final:.4f}", flush=True)
    write_page(cells)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
