"""Turn a network's answers into probabilities that mean the same in every job. NumPy only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryofed.scoring.in_job import USUAL, Jobs, Judged, in_job
from cryofed.scoring.looks import Looks
from cryofed.scoring.sharpness import beside_job

Numbers = NDArray[np.float64]
UNSURE = (0.2, 0.7)  # around the default cut and even odds: where a person decides better than a number


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """From a logit to a probability: `slope * seen + offset` (Platt 1999), then what that means in the job.

    What is seen is the logit and `sharpness` times how much sharper the class is than its job's median;
    where that counts, how clear the job's pictures are tells of the job. A class is unsure where its
    probability lies between the two `unsure` bounds. Without `jobs` each class is judged by itself: so is a
    model of which nobody knows how its logits lie in jobs that are new.
    """

    slope: float = 1.0
    offset: float = 0.0
    unsure: tuple[float, float] = UNSURE
    sharpness: float = 0.0
    jobs: Jobs | None = USUAL

    def seen(self, logits: Numbers, sharp: Numbers) -> Numbers:
        """`(n,)` logits and sharpness of one job's classes to `(n,)` logits as seen in the job."""
        return logits + self.sharpness * beside_job(sharp)

    def judged(self, logits: Numbers, looks: Looks) -> Judged:
        """`(n,)` logits and the looks of one whole job to what they mean. By itself no class has doubts."""
        calibrated = self.slope * self.seen(logits, looks.sharp) + self.offset
        if self.jobs is None:
            return Judged(sigmoid(calibrated), 0.0)
        return in_job(calibrated, self.jobs, looks.clear if self.sharpness else None)

    def probabilities(self, logits: Numbers, looks: Looks) -> Numbers:
        """The probabilities alone, `(n,)`, that an expert keeps each class."""
        return self.judged(logits, looks).good

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
        return Calibration.of(json.loads(text))

    @staticmethod
    def of(plain: Mapping[str, Any]) -> Calibration:
        """From plain numbers, as a model file and a card hold them; what they lack is the default.

        Raises:
            KeyError, TypeError or ValueError: what they hold is no calibration.
        """
        known = dict(plain)
        known |= {name: float(known[name]) for name in ("slope", "offset", "sharpness") if name in known}
        if "unsure" in known:
            known["unsure"] = tuple(known["unsure"])
        if known.get("jobs") is not None:
            known["jobs"] = Jobs(**known["jobs"])
        found = Calibration(**known)
        if not np.isfinite([found.slope, found.offset, found.sharpness, *found.unsure]).all():
            raise ValueError(f"calibration: found {found}; every number is finite")
        return found


UNKNOWN = Calibration(jobs=None)  # of a model that nobody has calibrated: an untrained one


def sigmoid(x: Numbers) -> Numbers:
    """The logistic function, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def fit_platt(logits: Numbers, good: NDArray[np.bool_], weights: Numbers | None = None) -> Calibration:
    """The slope and offset of greatest likelihood, by Newton's method; `weights` `(n,)` above 0."""
    columns = np.stack([logits, np.ones_like(logits)], axis=1)
    each = np.ones(len(logits)) if weights is None else weights / weights.mean()
    fitted = np.array([1.0, 0.0])
    for _ in range(50):
        p = sigmoid(columns @ fitted)
        gradient = columns.T @ (each * (p - good))
        hessian = (columns * (each * p * (1 - p))[:, None]).T @ columns + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        fitted = fitted - np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            break
    return Calibration(slope=float(fitted[0]), offset=float(fitted[1]))
