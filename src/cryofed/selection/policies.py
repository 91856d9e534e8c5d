"""The policies that have a name: what a good class that is lost costs beside a bad one that is kept."""

from __future__ import annotations

from types import MappingProxyType

from cryofed.errors import CryoFedError
from cryofed.selection.policy import Policy

BALANCED = Policy()
# 0.7: a bad class that is kept costs more than two good ones (1 / (1 + 0.43)).
STRICT = Policy(name="strict", threshold=0.7)
# 0.1: a good class that is lost costs nine bad ones.
LENIENT = Policy(name="lenient", threshold=0.1)
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
