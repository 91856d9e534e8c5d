"""Learn from a few decisions of a person within one job, and propose the next one. NumPy only.

A ridge logistic head on the trunk's pooled numbers, with the model's logit as prior. All logits here are
counted from the job's cut: above 0 is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.scoring.calibration import sigmoid

Numbers = NDArray[np.float64]

# Chosen over all real sets of `benchmarks/clicks.py` together, in sight of their labels; each is flat around.
PULL = 3.0  # prior deviation, in logits, of what the features may add to a class of usual distance
LEVEL = 2.0  # prior deviation, in logits, of what all classes of the job may share
PRIOR = 0.35  # share of the model's logit that stands once a person has decided something
FARTHEST = 4.0  # a feature's distance from the job's mean is clipped to ± this many deviations
CARRIED = 1.0  # logits by which what one job taught may move a class of another job
CARRIED_LEVEL = 0.5  # `LEVEL` of what is carried: another job may hold more or fewer good classes
STEPS = 50  # of Newton's method; six are usual
CLOSE = 1e-4  # logits; a last step below this changes no score that is shown
ONE_KIND = 2  # decisions of one kind alone, after which one of the other kind is looked for
MARGIN = 1e-3  # logits by which a decided class lies on the side that the person put it


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What decisions in one job taught: `weights` `(k,)` on the relative features, and `level`, in logits.

    `good` and `bad` count the decisions that it was learnt from.
    """

    weights: Numbers
    level: float
    good: int
    bad: int

    def logits(self, features: Numbers, prior: Numbers) -> Numbers:
        """`(n, k)` relative features and `(n,)` prior logits to `(n,)` logits."""
        result: Numbers = PRIOR * prior + features @ self.weights + self.level
        return result

    def carried(self, features: Numbers, prior: Numbers) -> Numbers:
        """The same for another job, which may hold another sample: a logit moves by less than `CARRIED`."""
        result: Numbers = prior + CARRIED * np.tanh((self.logits(features, prior) - prior) / CARRIED)
        return result


def relative(pooled: NDArray[np.floating]) -> Numbers:
    """`(n, k)` pooled numbers of one job, as distances from the job's mean in its deviations.

    Clipped to ± `FARTHEST` and divided by the root of k, so that a row has a length of about 1.
    """
    plain = np.asarray(pooled, np.float64)
    away = (plain - plain.mean(axis=0)) / (plain.std(axis=0) + 1e-6)
    result: Numbers = np.clip(away, -FARTHEST, FARTHEST) / np.sqrt(plain.shape[1])
    return result


def fit(features: Numbers, prior: Numbers, decided: Mapping[int, bool], *, level: float = LEVEL) -> Lesson:
    """The lesson of greatest posterior probability; one decision is enough.

    Convex: Newton's method, each step by conjugate gradients, so that nothing larger than the decided rows
    is ever made.

    Args:
        features: `(n, k)`, as `relative` gives them.
        prior: `(n,)` the model's logits, counted from the cut.
        decided: index to whether the person keeps it.
        level: prior deviation of the level, in logits; `CARRIED_LEVEL` for a lesson to be carried.
    """
    rows = np.fromiter(decided, np.int64, len(decided))
    good = np.fromiter(decided.values(), np.float64, len(decided))
    columns = np.concatenate([PULL * features[rows], np.full((len(rows), 1), level)], axis=1)
    offset, weights = PRIOR * prior[rows], np.zeros(columns.shape[1])
    for _ in range(STEPS):
        probability = sigmoid(columns @ weights + offset)
        gradient = (probability - good) @ columns + weights
        step = _newton_step(columns, probability * (1 - probability), gradient)
        largest = float(np.abs(columns @ step).max(initial=0))
        # Far from the end a whole step may overshoot.
        weights = weights - step * min(1.0, 5 / max(largest, 1e-9))
        if largest < CLOSE:
            break
    return Lesson(
        weights=PULL * weights[:-1],
        level=float(level * weights[-1]),
        good=int(good.sum()),
        bad=int(len(good) - good.sum()),
    )


def _newton_step(columns: Numbers, curvature: Numbers, gradient: Numbers) -> Numbers:
    """Solve `(1 + columns' curvature columns) step = gradient` (Hestenes & Stiefel 1952)."""
    step, rest = np.zeros_like(gradient), gradient.copy()
    way, size = rest.copy(), float(rest @ rest)
    enough = 1e-8 * size
    for _ in range(len(columns) + 1):  # exact after as many steps as there are rows, and one
        if size <= enough:
            break
        bent = way + (curvature * (columns @ way)) @ columns
        along = size / float(way @ bent)
        step += along * way
        rest -= along * bent
        size, before = float(rest @ rest), size
        way = rest + (size / before) * way
    return step


def learn(features: Numbers, prior: Numbers, decided: Mapping[int, bool]) -> Numbers:
    """`(n,)` new logits of the job that the decisions were made in; decided classes keep their own side.

    Arguments as in `fit`. Without a decision the prior comes back.
    """
    if not decided:
        return prior.copy()
    logits = fit(features, prior, decided).logits(features, prior)
    for index, good in decided.items():
        logits[index] = max(logits[index], MARGIN) if good else min(logits[index], -MARGIN)
    return logits


def propose(features: Numbers, prior: Numbers, logits: Numbers, decided: Mapping[int, bool]) -> int | None:
    """Index of the class whose decision would teach most; None where all are decided.

    It is unsure, `p (1 - p)`, or seen otherwise than the model saw it, `(p - p of the model)²`, and it is
    unlike every decided class, 1 - cosine to the nearest. Being unsure alone asks again and again for
    classes that are alike, and never for those that a wrong level has moved far to one side. After `ONE_KIND`
    decisions to keep and none to reject, the likeliest bad class comes next, and the other way round.
    """
    if len(decided) >= ONE_KIND and len(set(decided.values())) == 1:
        worth = -logits if next(iter(decided.values())) else logits.copy()
        worth[list(decided)] = -np.inf
        best = int(np.argmax(worth))
        return best if np.isfinite(worth[best]) else None
    now, before = sigmoid(logits), sigmoid(prior)
    worth = now * (1 - now) + (now - before) ** 2
    if decided:
        length = np.linalg.norm(features, axis=1, keepdims=True)
        unit = features / np.maximum(length, 1e-12)
        rows = np.fromiter(decided, np.int64, len(decided))
        worth = worth * np.clip(1 - (unit @ unit[rows].T).max(axis=1), 1e-6, 1)
        worth[rows] = -1
    best = int(np.argmax(worth)) if len(worth) else -1
    return None if best < 0 or worth[best] < 0 else best
