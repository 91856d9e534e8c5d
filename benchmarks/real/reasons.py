"""Are the reasons right? What the reason head says of rejected classes, beside what a reader saw.

`reasons.tsv` holds a reader's judgement: whether a reason fits the picture of a class. Read were the classes
that any of three left-out models rejected with a reason of enough probability: in real sets noise and
contamination from 0.5, edge from 0.4, blurred from 0.8; in RELION's jobs noise from 0.65 and edge from 0.5.
The models learnt reasons from simulated averages alone.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.real.ours import Bench, Told, calibration_of, decided
from benchmarks.real.recipe import of_job
from cryofed.learning.learner import network
from cryofed.learning.vector import Vector
from cryofed.library.pictures import prepare_again
from cryofed.scoring.reasons import REASONS, SURE
from cryofed.scoring.scorer import VIEWS, turned

READ = Path(__file__).with_name("reasons.tsv")
STEPS = (0.5, 0.6, 0.7, 0.8, 0.9)  # probabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The likeliest reason of one rejected class; `fits` is None where no reader judged it."""

    reason: str
    probability: float
    good: bool  # the class is good: it was rejected wrongly, and no reason fits
    fits: bool | None


def given(bench: Bench, told: Sequence[Told], seed: int) -> list[Given]:
    """Every rejected class of every job with its likeliest reason."""
    read, found = readings(), []
    for one in told:
        usable = np.isfinite(one.logits)
        if not usable.any():
            continue
        answer = decided(one, calibration_of(told, one))
        likely = np.zeros((len(usable), len(REASONS)))
        likely[usable] = probabilities(bench.vector(one.fold, seed), one, usable)
        for index in np.flatnonzero(usable & ~np.asarray(answer.kept)):
            best = int(np.argmax(likely[index]))
            key = (one.name, int(one.job.classes.number[index]), REASONS[best])
            good = bool(one.good[index] and one.counted[index])
            found.append(
                Given(
                    reason=REASONS[best],
                    probability=float(likely[index, best]),
                    good=good,
                    fits=False if good else read.get(key),
                )
            )
    return found


def probabilities(vector: Vector, one: Told, usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """`(usable classes, REASONS)`, means over the scorer's views as `score_job` has them."""
    model, labelled = network(vector).eval(), of_job(one.job, usable, usable)
    features = torch.from_numpy(labelled.features)
    views = [
        turned(prepare_again(labelled.images.astype(np.float16), crop), turns, mirrored)
        for crop, turns, mirrored in VIEWS
    ]
    with torch.inference_mode():
        logits = torch.stack([model(torch.from_numpy(view), features)[:, 1:] for view in views]).mean(0)
    result: NDArray[np.float64] = torch.softmax(logits, dim=1).double().numpy()
    return result


@cache
def readings() -> Mapping[tuple[str, int, str], bool]:
    """Set, class number and reason to whether it fits."""
    with READ.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return {(row["set"], int(row["class_number"]), row["reason"]): row["fits"] == "1" for row in rows}


def table(of: Sequence[Given]) -> str:
    """For each reason and probability: how many classes get it, and of those that were read how many fit."""
    heads = " | ".join(f"from {step:g}" for step in STEPS)
    lines = [f"| reason | {heads} | told from |", f"|---|{'---:|' * (len(STEPS) + 1)}"]
    for reason in REASONS:
        mine = [one for one in of if one.reason == reason]
        if mine:
            cells = [_cell([one for one in mine if one.probability >= step]) for step in STEPS]
            told = f"{SURE[reason]:g}" if reason in SURE else "never"
            lines.append(f"| {reason} | {' | '.join(cells)} | {told} |")
    shown = [one for one in of if one.probability >= SURE.get(one.reason, np.inf)]
    return "\n".join([*lines, "", f"Told with a reason: {len(shown)} of {len(of)} rejected classes."])


def _cell(of: Sequence[Given]) -> str:
    read = [one.fits for one in of if one.fits is not None]
    if not of:
        return "–"
    return f"{sum(read)} of {len(read)} fit ({len(of)})" if read else f"none read ({len(of)})"
