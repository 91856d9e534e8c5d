"""Turn a network's logits into probabilities that mean the same in every job. NumPy only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A probability is `sigmoid(slope * logit + offset)` (Platt 1999).

    A class is unsure where its probability lies between the two `unsure` bounds.
    """

    slope: float = 1.0
    offset: float = 0.0
    unsure: tuple[float, float] = (0.35, 0.65)

    def probabilities(self, logits: Numbers) -> Numbers:
        """`(n,)` logits of one job's classes to `(n,)` probabilities."""
        return sigmoid(self.slope * logits + self.offset)

    def is_unsure(self, probabilities: Numbers) -> NDArray[np.bool_]:
        """Where a person should look; NaN is never unsure, it was not scored."""
        low, high = self.unsure
        return (probabilities > low) & (probabilities < high)

    def to_json(self) -> str:
        """As it is kept inside the model file."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Calibration:
        """Read back what `to_json` wrote."""
        numbers = json.loads(text)
        return Calibration(**{**numbers, "unsure": tuple(numbers["unsure"])})


def sigmoid(x: Numbers) -> Numbers:
    """The logistic function, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def fit_platt(logits: Numbers, good: NDArray[np.bool_]) -> Calibration:
    """The slope and offset of greatest likelihood, by Newton's method."""
    columns = np.stack([logits, np.ones_like(logits)], axis=1)
    weights = np.array([1.0, 0.0])
    for _ in range(50):
        p = sigmoid(columns @ weights)
        gradient = columns.T @ (p - good)
        hessian = (columns * (p * (1 - p))[:, None]).T @ columns + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        weights = weights - np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            break
    return Calibration(slope=float(weights[0]), offset=float(weights[1]))
