"""Labelled class averages as arrays: what training and evaluation read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import TrainingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """n labelled averages.

    `images` `(n, s, s)`, float16 or float32: the middle 64 pixels are the prepared average (normalize them
    again where s is more), and what is around them lets training choose other crops; `features` `(n, F)`,
    NaN where unknown; `target` `(n,)` in [0, 1], graded, or exactly 0 or 1; `good` `(n,)` the yes or no
    that evaluation uses; `reason` `(n,)` an index into `REASONS` or -1; `job` `(n,)` which job, `project`
    `(n,)` which project (numbers local to this set: averages of one job are one context, splits never cut
    one).
    """

    images: NDArray[np.float16] | NDArray[np.float32]
    features: NDArray[np.float32]
    target: NDArray[np.float32]
    good: NDArray[np.bool_]
    reason: NDArray[np.int8]
    job: NDArray[np.int64]
    project: NDArray[np.int64]

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in self.__slots__}
        if len(set(lengths.values())) != 1:
            raise TrainingError(f"labelled averages of unequal length: {lengths}")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Labelled:
        """The chosen rows, by mask or by index."""
        return Labelled(**{name: getattr(self, name)[which] for name in self.__slots__})

    @staticmethod
    def join(parts: list[Labelled]) -> Labelled:
        """Several sets as one; jobs and projects of different parts stay different."""
        if not parts:
            raise TrainingError("no labelled averages to join")
        columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in Labelled.__slots__}
        for name in ("job", "project"):
            shift, numbers = 0, []
            for part in parts:
                numbers.append(getattr(part, name) + shift)
                shift += int(getattr(part, name).max(initial=-1)) + 1
            columns[name] = np.concatenate(numbers)
        return Labelled(**columns)
