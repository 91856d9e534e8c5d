"""Turn a network's answers into probabilities that mean the same in every job. NumPy only."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
UNSURE = (0.15, 0.6)  # around the default cut and even odds: where a person decides better than a number
LIMIT = 0.75  # of a logit's change by its context: a view unlike the job's others stays a good view


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A small network over a class and its job: an average is judged beside the job's best, as experts do.

    `axes` `(embedding, k)` and `middle` `(embedding,)` reduce an embedding to k numbers of deviation 1;
    one hidden layer beside a linear path reads `columns` of `context_columns`. It was learnt from simulated
    jobs, and a real one may be unlike them: it moves a logit by less than `LIMIT`.
    """

    middle: Numbers
    axes: Numbers
    hidden_weight: Numbers  # (hidden, columns)
    hidden_bias: Numbers  # (hidden,)
    out_weight: Numbers  # (hidden,)
    linear: Numbers  # (columns,)
    bias: Numbers  # ()

    def logits(self, logits: Numbers, embedding: Numbers, detail: Numbers) -> Numbers:
        """`(n,)` logits, `(n, embedding)` and `(n, len(DETAIL))` of one job to `(n,)` better logits."""
        columns = context_columns(logits, (embedding - self.middle) @ self.axes, detail)
        hidden = np.maximum(0, columns @ self.hidden_weight.T + self.hidden_bias)
        change = hidden @ self.out_weight + columns @ self.linear + self.bias
        result: Numbers = logits + LIMIT * np.tanh(change / LIMIT)
        return result


def context_columns(logits: Numbers, reduced: Numbers, detail: Numbers) -> Numbers:
    """What the context reads of each class, `(n, 2 + k + len(DETAIL))`.

    Its logit, and the distance of its logit, its k numbers and its detail from the job's mean, weighted by
    how good each class looks: from what good looks like here. The embedding itself and the job's make-up
    are left out on purpose: with them a context is better on the jobs it learnt from and worse on others.
    """
    probability = sigmoid(logits)
    weights = probability / max(float(probability.sum()), 1e-3)
    away = np.stack([logits / 3, (logits - weights @ logits) / 3], axis=1)
    return np.concatenate([away, reduced - weights @ reduced, detail - weights @ detail], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A probability is `sigmoid(slope * logit + offset)` (Platt 1999), of the logit seen in its context.

    A class is unsure where its probability lies between the two `unsure` bounds.
    """

    slope: float = 1.0
    offset: float = 0.0
    unsure: tuple[float, float] = UNSURE
    context: Context | None = None

    def probabilities(self, logits: Numbers, embedding: Numbers, detail: Numbers) -> Numbers:
        """`(n,)` logits, `(n, embedding)` and `(n, len(DETAIL))` of one job to `(n,)` probabilities."""
        seen = self.context.logits(logits, embedding, detail) if self.context else logits
        return sigmoid(self.slope * seen + self.offset)

    def is_unsure(self, probabilities: Numbers) -> NDArray[np.bool_]:
        """Where a person should look; NaN is never unsure, it was not scored."""
        low, high = self.unsure
        return (probabilities > low) & (probabilities < high)

    def to_json(self) -> str:
        """As it is kept inside the model file; numbers to 7 digits."""
        context = None
        if self.context:
            context = {f.name: _rounded(getattr(self.context, f.name)) for f in fields(Context)}
        plain = {"slope": self.slope, "offset": self.offset, "unsure": self.unsure, "context": context}
        return json.dumps(plain)

    @staticmethod
    def from_json(text: str) -> Calibration:
        """Read back what `to_json` wrote."""
        plain = json.loads(text)
        context = plain.get("context")
        return Calibration(
            slope=plain["slope"],
            offset=plain["offset"],
            unsure=tuple(plain["unsure"]),
            context=Context(**{k: np.array(v, np.float64) for k, v in context.items()}) if context else None,
        )


def _rounded(array: Numbers) -> object:
    return np.vectorize(lambda x: float(f"{x:.7g}"), otypes=[float])(array).tolist()


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
