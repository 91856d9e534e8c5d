"""Which projects are held out: by a hash of their pictures, and for good."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

FRACTION = 0.2  # of projects, held out


def held_out(decided: Mapping[str, bool], undecided: Mapping[str, str]) -> dict[str, bool]:
    """Decide for projects that have never been trained on; what is decided stays.

    A project is held out when the share of its mark falls below `FRACTION`. With two or more projects at
    least one is held out and at least one trains: where the marks say otherwise, the new project of the
    least share is held out, or the one of the greatest share trains. A single project trains.

    Args:
        decided: project's name to its fate.
        undecided: project's name to its mark, which does not depend on where the project lies: a library
            that is made again, or elsewhere, holds out the same pictures.
    """
    place = {name: share(mark) for name, mark in undecided.items() if name not in decided}
    order = sorted(place, key=lambda name: (place[name], name))
    fate = {name: place[name] < FRACTION for name in order}
    everything = {**decided, **fate}
    if order and not any(everything.values()) and len(everything) > 1:
        fate[order[0]] = True
    if order and all(everything.values()):
        fate[order[-1]] = False
    return fate


def share(mark: str) -> float:
    """The mark's place in [0, 1), the same on every machine and in every version."""
    digest = hashlib.sha256(b"cryofed held out\0" + mark.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
