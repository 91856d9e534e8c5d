"""How hard may sites train from a model that is good already? The first campaign of every new federation.

Five unlike sites as in `benchmarks strategies` (mixed), FedAvg, from the model that CryoFed ships, in its own
network. `python -m benchmarks gentle` goes on from its cache and writes the table of
docs/federation.md.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.federations.cells import ROOT, Cell, arrays_of, network_of, result, starting_vector
from benchmarks.federations.worlds import SITES
from benchmarks.measuring.page import write_between
from cryofed.federation.aggregator.campaign import calibrated, mixed
from cryofed.federation.agreement.plan import USUAL, WHOLE, GateRules
from cryofed.federation.site.evaluating import told_metrics
from cryofed.federation.site.trainer import one_thread
from cryofed.learning.calibrate import judged_scores
from cryofed.learning.learner import plain_logits
from cryofed.learning.metrics import auc
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.carried import Fits
from cryofed.scoring.scorer import SHIPPED, open_model
from cryofed.selection.policy import Policy

PAGE = ROOT / "docs" / "federation.md"
BASE = Cell(network="shipped", start="shipped", batch=64, last_rate=0.05, held_out_jobs=12, test_jobs=60)
HEAD = replace(
    BASE,
    part="head",
    rounds=USUAL.rounds.count,
    steps=USUAL.training.steps,
    learning_rate=USUAL.training.learning_rate,
)
NEW = replace(HEAD, project_share=USUAL.guard.project_share)
TWO = replace(NEW, absent=SITES - 2)
WAYS = (  # and how much of the model before the gate keeps
    (replace(BASE, steps=WHOLE.training.steps, learning_rate=WHOLE.training.learning_rate), 0.0),
    (replace(HEAD, rounds=12), 0.0),
    (HEAD, 0.0),
    (NEW, 0.0),
    (NEW, USUAL.gate.keep),
    (TWO, 0.0),
    (TWO, USUAL.gate.keep),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gained:
    """What a federation's release is beside the shipped model: changes of AUC, and shares at the cut."""

    test: float  # AUC on unseen molecules
    own: tuple[float, ...]  # AUC on each site's held-out jobs
    good_kept: tuple[float, float]  # shares on unseen molecules: shipped model, release
    bad_rejected: tuple[float, float]


def gained(cell: Cell, keep: float) -> Gained:
    """On the common test, judged by the truth, and on each site's held-out jobs, judged by its labels."""
    result(cell)
    arrays, world, start = arrays_of(cell), cell.world, starting_vector(cell)
    held_out = world.held_out[: SITES - cell.absent]
    with network_of(cell), one_thread():
        release = mixed(arrays["own"][0], start, keep)  # with FedAvg all sites use the common model
        shipped = open_model(SHIPPED, "cpu").calibration
        fits = [_fits(start, release, part) for part in held_out]
        before = _shares(start, shipped, world.test)
        after = _shares(release, calibrated(shipped, [one for one in fits if one]), world.test)
        return Gained(
            test=_gain(start, release, world.test),
            own=tuple(_gain(start, release, part) for part in held_out),
            good_kept=(before[0], after[0]),
            bad_rejected=(before[1], after[1]),
        )


def _gain(before: Vector, after: Vector, judges: Labelled) -> float:
    was, becomes = (auc(plain_logits(vector, judges), judges.good) for vector in (before, after))
    return becomes - was


def _fits(current: Vector, candidate: Vector, held_out: Labelled) -> Fits | None:
    """Both models' slope and offset as a site tells its gate."""
    told = [told_metrics(one, held_out, GateRules().min_cell, calibrate=True) for one in (current, candidate)]
    if any("slope" not in one for one in told):
        return None
    earlier, later = ((one["slope"], one["offset"]) for one in told)
    return Fits(earlier, later)


def _shares(vector: Vector, calibration: Calibration, test: Labelled) -> tuple[float, float]:
    """Of good averages kept and of bad ones rejected at the default cut."""
    kept = judged_scores(vector, test, calibration) >= Policy().threshold
    return float(kept[test.good].mean()), float((~kept[~test.good]).mean())


def table(seeds: int) -> str:
    """A row for each way of training."""
    lines = [
        "| sites | trained | projects | rounds | steps a round | learning rate | in the last round | kept "
        "| unseen molecules | good kept | bad rejected | sites' own held-out jobs | worst site |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for cell, keep in WAYS:
        told = [gained(replace(cell, seed=seed), keep) for seed in range(1, seeds + 1)]
        test = ", ".join(f"{one.test:+.4f}" for one in told)
        kept, rejected = (
            ", ".join(f"{100 * before:.0f} → {100 * after:.0f} %" for before, after in shares)
            for shares in ([one.good_kept for one in told], [one.bad_rejected for one in told])
        )
        own = ", ".join(f"{np.mean(one.own):+.4f}" for one in told)
        worst = ", ".join(f"{min(one.own):+.4f}" for one in told)
        share = f"{cell.project_share:.0%}".replace("%", " %")
        what = f"{SITES - cell.absent} | {cell.part} | {share} | {cell.rounds} | {cell.steps}"
        rates = f"{cell.learning_rate:g} | × {cell.last_rate:g} | {keep:g}"
        lines.append(f"| {what} | {rates} | {test} | {kept} | {rejected} | {own} | {worst} |")
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
