"""What each site brought, estimated without retraining from the inner products that round reports keep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXACT_SITES = 10  # up to here all coalitions are counted, 1,024 of them
PERMUTATIONS = 200  # beyond, this many orders of joining are drawn

Gram = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """A site's share of what the campaign's steps agree on; all sites together have 1."""

    share: float
    error: float  # standard error over the rounds; NaN after one round
    rounds: int  # that the site took part in


def contributions(reports: Sequence[Mapping[str, Any]]) -> dict[str, Contribution]:
    """Each site's mean share over the rounds, with its standard error.

    In a round a site's share is its Shapley value in the game whose worth is the cosine between the mean
    update of a coalition and the mean update of all (Xu et al. 2021, Gradient Driven Rewards to Guarantee
    Fairness, NeurIPS: the cosine gradient Shapley value), each site counted by its examples. It says who
    moved the model where it went, not whether that was good: the gate says that. Where a round had more
    than 32 sites its report has no inner products, and it is left out.
    """
    shares: dict[str, list[float]] = {}
    for report in reports:
        if "inner_products" not in report:
            continue
        names = sorted(report["accepted"])
        weights = np.array([report["accepted"][name]["examples"] for name in names], np.float64)
        products = np.array(report["inner_products"])[:-1, :-1]
        for name, share in zip(names, shapley(products, weights), strict=True):
            shares.setdefault(name, []).append(float(share))
    return {
        name: Contribution(share=float(np.mean(values)), error=_standard_error(values), rounds=len(values))
        for name, values in sorted(shares.items())
    }


def shapley(products: Gram, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shapley values `(n,)` of the cosine game; exact for few sites, sampled with a fixed seed for many."""
    n = len(weights)
    weighted = products * np.outer(weights, weights)
    values = np.zeros(n)
    if n <= EXACT_SITES:
        worth = {
            frozenset(members): _worth(weighted, members)
            for size in range(n + 1)
            for members in combinations(range(n), size)
        }
        for members, value in worth.items():
            for site in set(range(n)) - members:
                share = math.factorial(len(members)) * math.factorial(n - len(members) - 1)
                values[site] += share / math.factorial(n) * (worth[members | {site}] - value)
        return values
    rng = np.random.default_rng(0)
    for _ in range(PERMUTATIONS):
        order, before = rng.permutation(n), 0.0
        for count in range(1, n + 1):
            after = _worth(weighted, tuple(order[:count]))
            values[order[count - 1]] += (after - before) / PERMUTATIONS
            before = after
    return values


def _worth(weighted: Gram, members: Sequence[int]) -> float:
    """Cosine between the coalition's sum and everybody's sum; 0 for nobody."""
    chosen = list(members)
    inner = weighted[chosen].sum()
    length = math.sqrt(max(0.0, weighted[np.ix_(chosen, chosen)].sum()) * max(0.0, weighted.sum()))
    return float(inner / length) if length > 0 else 0.0


def _standard_error(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else float("nan")
