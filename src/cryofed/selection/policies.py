"""The policies that have a name: what a good class that is lost costs beside a bad one that is kept."""

from __future__ import annotations

from types import MappingProxyType

from cryofed.errors import CryoFedError
from cryofed.selection.policy import Policy

BALANCED = Policy()
# 0.7: a bad class that is kept costs more than two good ones (1 / (1 + 0.43)). The cut is not lowered for
# jobs with few good classes: whoever asks for it wants clean classes and accepts what that loses.
STRICT = Policy(name="strict", threshold=0.7, risk=1.0)
# 0.2: a good class that is lost costs four bad ones. A job may lose 5 % of its good classes, not 15 %, and
# whatever has one chance in twenty is kept for that.
LENIENT = Policy(name="lenient", threshold=0.2, band=0.05, most_lost=0.05, least_score=0.05)
NAMED = MappingProxyType({policy.name: policy for policy in (STRICT, BALANCED, LENIENT)})
MEANING = MappingProxyType(
    {
        "strict": "clean classes, and some good ones lost",
        "balanced": "the default",
        "lenient": "all that could be good, and some junk with it",
    }
)


def named(name: str) -> Policy:
    """The policy of a name.

    Raises:
        CryoFedError: there is none of that name.
    """
    if name not in NAMED:
        raise CryoFedError(f"policy: found {name!r}; give one of {', '.join(NAMED)}")
    return NAMED[name]
