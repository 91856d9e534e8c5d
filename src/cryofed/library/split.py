"""Which projects are held out: by a hash, and for good."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

FRACTION = 0.2  # of projects, held out


def held_out(decided: Mapping[str, bool], undecided: Iterable[str]) -> dict[str, bool]:
    """Decide for projects that have never been trained on; what is decided stays.

    A project is held out when its hash falls below `FRACTION`. With two or more projects at least one is
    held out and at least one trains: where the hashes say otherwise, the new project of the least hash is
    held out, or the one of the greatest hash trains. A single project trains.
    """
    order = sorted(set(undecided) - set(decided), key=share)
    fate = {name: share(name) < FRACTION for name in order}
    everything = {**decided, **fate}
    if order and not any(everything.values()) and len(everything) > 1:
        fate[order[0]] = True
    if order and all(everything.values()):
        fate[order[-1]] = False
    return fate


def share(name: str) -> float:
    """The project's place in [0, 1), the same on every machine and in every version."""
    digest = hashlib.sha256(b"cryofed held out\0" + name.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
