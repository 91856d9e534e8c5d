"""What works under masks: strategies that need sums only, and numbers that are not encoded.

A strategy is refused by name, with the one to take instead; a name that is not listed is refused too.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cryofed.errors import InputError

# These read a weighted mean of the updates and the number of sites, and nothing of one site.
SUMS_ONLY = (
    "fedavg",
    "fedavgm",
    "diloco",
    "fedadam",
    "fedyogi",
    "fedadagrad",
    "fedprox",
    "personal",
)
# name: why not, and what to take.
_ORDERS = "it compares single updates, which a mask hides; take fedavg, or profile attested for this rule"
REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "robust": _ORDERS,
        "norm-bounded": _ORDERS,
        "median": _ORDERS,
        "trimmed-mean": _ORDERS,
        "geometric-median": _ORDERS,
        "krum": _ORDERS,
        "multi-krum": _ORDERS,
        "fednova": "it divides each update by that site's own steps; take fedavg or fedprox",
        "feddyn": "it counts the sites beside their sum, which one sum does not tell; take fedavg or diloco",
        "scaffold": "its second vector has no agreed bound; take fedprox",
        "cyclic": "it asks one site at a time, and a sum of one hides nothing; take fedavg",
    }
)
# codec: why not. The masked update itself has 8 bytes for each number, twice those of float32.
CODECS: Mapping[str, str] = MappingProxyType(
    {
        "float16": "each site has a scale of its own, and what is masked is not shorter for it",
        "int8": "each block has a scale of its own, so that bytes of two sites cannot be added",
        "topk": "which numbers a site sends tells about its data, and masks must cover the same at all sites",
    }
)


def check_strategy(name: str, source: str = "plan") -> None:
    """Refuse a strategy that masks would break or that would break the masks.

    Raises:
        InputError: says why, and which to take.
    """
    if name not in SUMS_ONLY:
        why = REFUSED.get(name, f"it is not known to need sums only; take one of {', '.join(SUMS_ONLY)}")
        raise InputError(source, "strategy.name", f"{name!r} under pairwise masks", why)


def check_codec(name: str, source: str = "plan") -> None:
    """Refuse a codec under masks: `float32` alone stays exact in the sum.

    Raises:
        InputError: says why.
    """
    if name != "float32":
        why = CODECS.get(name, "it is not known to survive a sum")
        raise InputError(source, "guard.codec", f"{name!r} under pairwise masks", f"{why}; take float32")
