"""Sites whose process dies again and again: they are left out for a while, each time for longer."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

FIRST_S = 20.0  # after a second death; each further one doubles it
LONGEST_S = 3600.0
FREE = 1  # deaths that have no consequence: a machine may have been started again


class Setbacks:
    """Counts, by site, segments that began with the site and lost its process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deaths: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def died(self, sites: Collection[str]) -> dict[str, float]:
        """Note these sites' deaths; seconds for which each is now left out, where it is."""
        left_out = {}
        for site in sorted(sites):
            count = self._deaths[site] = self._deaths.get(site, 0) + 1
            if count > FREE:
                left_out[site] = min(FIRST_S * 2.0 ** (count - FREE - 1), LONGEST_S)
                self._until[site] = self._clock() + left_out[site]
        return left_out

    def worked(self, sites: Collection[str]) -> None:
        """These sites took part to the end of a round: they begin anew."""
        for site in sites:
            self._deaths.pop(site, None)
            self._until.pop(site, None)

    def out(self) -> set[str]:
        """Sites that are left out now."""
        now = self._clock()
        return {site for site, until in self._until.items() if until > now}
