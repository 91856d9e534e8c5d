"""Updates as whole numbers modulo 2^64: sums of them are exact, and so are masks."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log2

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import GuardError, WireError
from cryofed.learning.vector import Vector
from cryofed.trust.masks.messages import Words

LEAST_FRACTION_BITS = 16
BLOCK = 65_536  # numbers at a time, so that they stay in the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPoint:
    """The agreed range of what sites send; it leaves room for the sum of all of them."""

    max_norm: float  # above 0; no update, all channels together, is longer: the guard's clip sees to it
    max_weight: float  # no site counts for more, in labelled averages
    max_sites: int

    def __post_init__(self) -> None:
        if not (self.max_norm > 0 and self.max_weight >= 1 and self.max_sites >= 2):
            raise ValueError("max_norm above 0, max_weight from 1 and max_sites from 2 are needed")
        if self.fraction_bits < LEAST_FRACTION_BITS:
            raise ValueError(
                f"{self.fraction_bits} bits are left for fractions, {LEAST_FRACTION_BITS} are needed; "
                "lower max_norm, max_weight or max_sites"
            )

    @property
    def fraction_bits(self) -> int:
        """Bits behind the point: `max_norm · max_weight · max_sites · 2^bits ≤ 2^62`."""
        largest = max(self.max_norm, 1.0) * self.max_weight * self.max_sites
        return min(52, 62 - max(0, floor(log2(largest)) + 1))

    def words(self, vector: Vector, weight: float) -> Words:
        """`(n + 1,)`: weight times vector, then the weight, each rounded to the nearest whole step.

        Raises:
            GuardError: a number that is not finite or beyond the agreed range; the site sits out.
        """
        if not 0 < weight <= self.max_weight:
            raise GuardError("mask-range", f"weight {weight:g}, agreed is at most {self.max_weight:g}")
        words = np.empty(len(vector) + 1, np.int64)
        factor = float(weight) * 2.0**self.fraction_bits
        squares = 0.0
        for first in range(0, len(vector), BLOCK):
            part = vector[first : first + BLOCK].astype(np.float64)
            squares += float(np.square(part).sum())  # not BLAS: its threads wait longer than they work
            if not squares <= (self.max_norm * (1 + 1e-5)) ** 2:  # NaN fails too; float32 clips to 1e-7
                raise GuardError("mask-range", f"the update is longer than the agreed {self.max_norm:g}")
            part *= factor
            words[first : first + len(part)] = np.rint(part, out=part)
        words[-1] = round(factor)
        return words.view(np.uint64)

    def mean(self, total: Words) -> tuple[Vector, float]:
        """Weighted mean and sum of the weights, from the sum of all sites' words.

        Raises:
            WireError: a sum that no sites within the agreed range can have made; one of them lied, or a
                mask is missing. Who it was cannot be seen.
        """
        signed = total.view(np.int64)
        weight = float(signed[-1]) / 2.0**self.fraction_bits
        if not 0 < weight <= self.max_weight * self.max_sites:
            raise WireError("masked-sum", "the sum of the weights is beyond what was agreed")
        mean: NDArray[np.float64] = signed[:-1] / float(signed[-1])
        length = float(np.sqrt(np.square(mean).sum()))
        if not length <= self.max_norm * (1 + 1e-4):
            raise WireError(
                "masked-sum", f"the mean is {length:.3g} long, at most {self.max_norm:g} was agreed"
            )
        return mean.astype(np.float32), weight
