"""Nobody out of proportion: what a site declares or sends counts for a few times the middle one at most.

Fixed bounds do not know how much data sites have. The middle does, and one site cannot move it far: of an
even number the lower middle is taken, so that of two sites the smaller one decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import median_low

import numpy as np

from cryofed.federation.aggregator.admission import update_norm
from cryofed.federation.aggregator.spool import Spool
from cryofed.federation.wire.updates import Update


@dataclass(frozen=True, slots=True)
class Proportion:
    """The most that any site of this round counts for, and how far it moves the model."""

    examples: float
    norm: float

    def counted(self, examples: int) -> int:
        """The examples that are counted of those declared."""
        return int(min(examples, self.examples))

    def factor(self, norm: float) -> float:
        """By which an update of this norm is shortened; 1 leaves it."""
        return min(1.0, self.norm / norm) if norm > 0 else 1.0


def proportion(examples: Mapping[str, int], norms: Mapping[str, float], times: float) -> Proportion:
    """The bounds of a round, by site; `times` 0 has none."""
    if not times or not examples:
        return Proportion(float("inf"), float("inf"))
    return Proportion(times * median_low(examples.values()), times * median_low(norms.values()))


@dataclass(frozen=True, slots=True)
class InProportion:
    """The round's updates as they are combined, still read one after the other."""

    spool: Spool
    norms: Mapping[str, float]
    bounds: Proportion

    def __iter__(self) -> Iterator[Update]:
        for update in self.spool:
            factor = self.bounds.factor(self.norms[update.site])
            vector = update.vector if factor == 1.0 else update.vector * np.float32(factor)
            yield replace(update, vector=vector, examples=self.bounds.counted(update.examples))


def in_proportion(spool: Spool, size: int, times: float) -> InProportion:
    """The updates of a round within its proportion; each is read once for that."""
    examples, norms = {}, {}
    for update in spool:
        examples[update.site], norms[update.site] = update.examples, update_norm(update.vector, size)
    return InProportion(spool, norms, proportion(examples, norms, times))


def held(weights: Mapping[str, int], times: float) -> dict[str, int]:
    """Whole weights by site, none above `times` the middle one; 0 leaves them."""
    most = times * median_low(weights.values()) if times and weights else float("inf")
    return {site: int(min(weight, most)) for site, weight in weights.items()}
