"""What a release is trained on: labelled averages of several kinds, and each kind's share of every batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import TrainingError
from cryofed.library.labelled import Labelled

EXPONENT = 0.7  # a job's chance to be drawn is its number of averages to this power, so that small jobs count


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Averages of one kind, and their share of a batch. `by_job`: a small job counts beyond its size."""

    labelled: Labelled
    share: float
    by_job: bool = True


@dataclass(frozen=True, slots=True)
class Mixture:
    """All parts as one set, and where each begins.

    `chances` `(n,)` are the chances of each average to be the next that is drawn from its part.
    """

    labelled: Labelled
    starts: tuple[int, ...]
    shares: tuple[float, ...]
    chances: NDArray[np.float64]

    @staticmethod
    def of(parts: Sequence[Part]) -> Mixture:
        """The parts joined; their shares are scaled to sum to 1.

        Raises:
            TrainingError: there is no part, or a part without averages has a share.
        """
        if not parts or any(not len(part.labelled) for part in parts):
            raise TrainingError("a part of the mixture has no labelled averages; leave it out")
        sizes = [len(part.labelled) for part in parts]
        total = sum(part.share for part in parts)
        return Mixture(
            Labelled.join([part.labelled for part in parts]),
            tuple(int(n) for n in np.cumsum([0, *sizes])),
            tuple(part.share / total for part in parts),
            np.concatenate([_chances(part) for part in parts]),
        )

    def rows(self, batch: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows of one batch: of every part its share, rounded so that the sum is `batch`."""
        ends = np.round(np.cumsum([0.0, *self.shares]) * batch).astype(int)
        drawn = [
            first + rng.choice(last - first, count, p=self.chances[first:last])
            for first, last, count in zip(self.starts, self.starts[1:], np.diff(ends), strict=False)
        ]
        return np.concatenate(drawn)


def _chances(part: Part) -> NDArray[np.float64]:
    if not part.by_job:
        return np.full(len(part.labelled), 1 / len(part.labelled))
    _, which, sizes = np.unique(part.labelled.job, return_inverse=True, return_counts=True)
    weights = sizes[which] ** (EXPONENT - 1)
    result: NDArray[np.float64] = weights / weights.sum()
    return result
