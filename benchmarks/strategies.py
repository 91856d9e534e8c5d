"""All strategies on five simulated sites: how the sites differ, who attacks, and what it costs.

`python -m benchmarks strategies` fills a cache cell by cell (a run that was stopped goes on) and writes
the tables and plots of docs/strategies.md. `python -m benchmarks.strategies --help` says what else.

The grid runs on a small network (an eighth of the shipped one's numbers, pictures of 32 × 32), so that a
laptop can afford it: a cell takes about ten seconds.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from benchmarks.federations.attacks import ATTACKS
from benchmarks.federations.cells import BASELINES, Cell, result
from benchmarks.federations.tables import CODECS, attack_table, write_page
from benchmarks.federations.worlds import OTHER_SPLITS, SITES
from cryofed.federation.strategies.registry import STRATEGIES

QUICK = 14  # cells: baselines, FedAvg, robust, their finish, robust under attacks
FINISHED = ("fedavg", "robust")
FINISHES = ("site", "half")
RULES = ("multi-krum", "median", "trimmed-mean", "geometric-median", "norm-bounded", "krum")  # robust ones
OTHERS = tuple(name for name in STRATEGIES if name not in (*FINISHED, *RULES))


def grid(seeds: list[int]) -> list[Cell]:
    """All cells, the most telling first: whoever stops early has these."""
    first, *more = seeds
    cells = _core(first)
    cells += [cell for seed in seeds for cell in _honest("mixed", seed)]
    cells += [cell for seed in seeds for name in FINISHED for cell in _attacked(name, seed)]
    cells += [
        Cell(strategy="robust", attack=attack, liar=number, seed=seed)
        for seed in seeds
        for number in range(1, SITES)
        for attack in ATTACKS
    ]
    cells += [cell for name in (*RULES, *OTHERS) for cell in _attacked(name, first)]
    cells += [cell for split in OTHER_SPLITS for cell in _finished(split, first)]
    cells += [cell for split in OTHER_SPLITS for name in FINISHED for cell in _attacked(name, first, split)]
    cells += [Cell(seed=seed, **codec) for seed in seeds for codec in CODECS.values()]
    cells += [cell for split in OTHER_SPLITS for cell in _honest(split, first)]
    cells += [Cell(epsilon=8.0, seed=first), Cell(epsilon=8.0, seed=first, jobs=48), Cell(jobs=48)]
    cells += [cell for seed in more for name in RULES for cell in _attacked(name, seed)]
    cells += [cell for seed in more for split in OTHER_SPLITS for cell in _finished(split, seed)]
    cells += [cell for seed in more for name in OTHERS for cell in _attacked(name, seed)]
    cells += [cell for seed in more for split in OTHER_SPLITS for cell in _honest(split, seed)]
    cells += [cell for name in STRATEGIES for split in OTHER_SPLITS for cell in _attacked(name, first, split)]
    return list(dict.fromkeys(cells))


def _core(seed: int) -> list[Cell]:
    """What the page's claims rest on."""
    return _finished("mixed", seed) + _attacked("robust", seed)


def _finished(split: str, seed: int) -> list[Cell]:
    """The baselines, and what each site makes of FedAvg's and the robust model."""
    cells = [Cell(split=split, strategy=name, seed=seed) for name in (*BASELINES, *FINISHED)]
    return cells + [Cell(split=split, strategy=n, seed=seed, finish=f) for n in FINISHED for f in FINISHES]


def _honest(split: str, seed: int) -> list[Cell]:
    """All strategies where everyone means well."""
    return _finished(split, seed) + [Cell(split=split, strategy=name, seed=seed) for name in STRATEGIES]


def _attacked(name: str, seed: int, split: str = "mixed") -> list[Cell]:
    """One strategy when one site of five attacks, and, to compare, when that site stays away."""
    cells = [Cell(split=split, strategy=name, attack=attack, seed=seed) for attack in ATTACKS]
    return [*cells, Cell(split=split, strategy=name, absent=1, seed=seed)]


def main(arguments: list[str] | None = None) -> None:
    """Fill the cache and write the page's tables and plots."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strategies", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="run seeds 1 to this (default 3)")
    parser.add_argument("--quick", action="store_true", help="the first cells of seed 1 only")
    parser.add_argument(
        "--attacked",
        action="store_true",
        help="FedAvg and robust under each attack; printed, and the page stays",
    )
    parser.add_argument("--minutes", type=float, default=1e9, help="start no cell after so many minutes")
    parser.add_argument("--only-write", action="store_true", help="write from what the cache holds")
    options = parser.parse_args([] if arguments is None else arguments)
    cells = grid(list(range(1, options.seeds + 1)))
    if options.quick:
        cells = cells[:QUICK]
    if options.attacked:
        seeds = range(1, options.seeds + 1)
        cells = [
            cell
            for seed in seeds
            for name in FINISHED
            for cell in (Cell(strategy=name, seed=seed), *_attacked(name, seed))
        ]
    end = time.monotonic() + 60 * options.minutes
    for number, cell in enumerate(cells, 1):
        if options.only_write or time.monotonic() > end:
            break
        if cell.path.exists():
            continue
        told = result(cell)
        print(f"{number}/{len(cells)} {cell.path.stem}: {_end(told)}", flush=True)
    if options.attacked:
        print(attack_table({cell: result(cell) for cell in cells if cell.path.exists()}))
    else:
        write_page(cells)


def _end(told: dict[str, Any]) -> str:
    if "stops" in told:
        return f"stops, {told['stops']}"
    return f"AUC {told.get('final') or np.mean(told['each']):.4f}"


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
