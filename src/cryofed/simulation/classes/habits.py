"""How experts label: RELION's colours with a job score, plain 0 and 1, CryoSift's grades, each with a hand.

Every habit starts from the class's known quality, seen with the expert's own error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryofed.simulation.classes.truth import Truth

Scale = Literal["binary", "colours", "grades"]
COLOURS = np.array([1, 5, 2, 3, 0])  # best to worst: red, magenta, green, blue, not selected
STEPS = np.array([0.72, 0.5, 0.3, 0.12])  # quality at which colours and grades change, for a middling expert


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """`strictness` shifts the cuts (0 as the truth, above 0 keeps less); `error` is the hand's deviation.

    `slips` is the share of classes clicked wrongly altogether.
    """

    scale: Scale
    strictness: float = 0.0
    error: float = 0.06
    slips: float = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What an expert said of each class of a job: `values` in the habit's scale, `kept` yes or no."""

    habit: Habit
    values: NDArray[np.int64]
    kept: NDArray[np.bool_]
    job_score: float


HABITS = (
    Habit(scale="binary", strictness=0.0),
    Habit(scale="colours", strictness=0.05),
    Habit(scale="grades", strictness=-0.05, error=0.08),
    Habit(scale="binary", strictness=0.16, error=0.05),
    Habit(scale="binary", strictness=-0.16, error=0.1, slips=0.03),
    Habit(scale="colours", strictness=-0.08, error=0.08),
)


def label(truth: Truth, habit: Habit, rng: np.random.Generator) -> Labels:
    """Labels of one job by one expert."""
    n = len(truth.quality)
    # Broken and mixed particles look like particles: some experts fall for some of them.
    looks = np.where(np.isin(truth.junk, ("broken", "mixture", "blurred")), rng.uniform(0, 0.42, n), 0)
    seen = np.maximum(truth.quality, looks) + rng.normal(0, habit.error, n) - habit.strictness
    slipped = rng.random(n) < habit.slips
    seen = np.where(slipped, rng.uniform(0, 1, n), seen)
    kept = seen >= 0.5
    step = (seen[:, None] < STEPS[None, :]).sum(axis=1)  # 0 best to 4 worst
    values = {"binary": kept.astype(np.int64), "colours": COLOURS[step], "grades": step + 1}[habit.scale]
    best = np.sort(truth.quality)[::-1][:5]
    score = float(np.clip(best.mean() + rng.normal(0, 0.05), 0, 1)) if n else 0.0
    return Labels(habit=habit, values=values.astype(np.int64), kept=kept, job_score=round(score, 2))
