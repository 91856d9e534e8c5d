"""How hard may sites train from a model that is good already? The first campaign of every new federation.

Five unlike sites as in `benchmarks strategies` (mixed), FedAvg, from the model that CryoFed ships, in its own
network. `python -m benchmarks gentle` goes on from its cache and writes the table of
docs/federation.md.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import numpy as np

from benchmarks.federations.cells import ROOT, Cell, arrays_of, network_of, result, starting_vector
from benchmarks.measuring.page import write_between
from cryofed.federation.agreement.plan import USUAL, WHOLE
from cryofed.federation.site.trainer import one_thread
from cryofed.learning.learner import logits
from cryofed.learning.metrics import auc

PAGE = ROOT / "docs" / "federation.md"
BASE = Cell(network="shipped", start="shipped", batch=64, last_rate=0.05, held_out_jobs=12, test_jobs=60)
HEAD = replace(
    BASE,
    part="head",
    rounds=USUAL.rounds.count,
    steps=USUAL.training.steps,
    learning_rate=USUAL.training.learning_rate,
)
WAYS = (
    replace(BASE, steps=WHOLE.training.steps, learning_rate=WHOLE.training.learning_rate),
    replace(HEAD, rounds=12),
    HEAD,
    replace(HEAD, project_share=USUAL.guard.project_share),
)


def gains(cell: Cell) -> tuple[float, list[float]]:
    """Change of AUC against the shipped model: on the common test, and on each site's held-out jobs."""
    told, arrays, world, start = result(cell), arrays_of(cell), cell.world, starting_vector(cell)
    with network_of(cell), one_thread():
        test = told["final"] - auc(logits(start, world.test)[:, 0], world.test.good)
        own = [
            auc(arrays[f"held_out{number}"], part.good) - auc(logits(start, part)[:, 0], part.good)
            for number, part in enumerate(world.held_out, 1)
        ]
    return test, own


def table(seeds: int) -> str:
    """A row for each way of training."""
    lines = [
        "| trained | projects | rounds | steps a round | learning rate | in the last round "
        "| unseen molecules | sites' own held-out jobs | worst site |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for cell in WAYS:
        told = [gains(replace(cell, seed=seed)) for seed in range(1, seeds + 1)]
        test = ", ".join(f"{one:+.4f}" for one, _ in told)
        own = ", ".join(f"{np.mean(each):+.4f}" for _, each in told)
        worst = ", ".join(f"{min(each):+.4f}" for _, each in told)
        what = f"{cell.part} | {cell.project_share:.0%} | {cell.rounds} | {cell.steps}".replace("%", " %")
        rates = f"{cell.learning_rate:g} | × {cell.last_rate:g}"
        lines.append(f"| {what} | {rates} | {test} | {own} | {worst} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gentle", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="run seeds 1 to this (default 2)")
    options = parser.parse_args([] if arguments is None else arguments)
    made = table(options.seeds)
    print(made)
    write_between(PAGE, {"gentle": made})


if __name__ == "__main__":
    main(sys.argv[1:])
