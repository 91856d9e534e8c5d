"""Whose large answer may travel now: the aggregator's memory holds a few of them, however many sites wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

AT_A_TIME = 2  # one arrives while the other is checked and written to disk
HOLD_S = 60.0  # a site that was given its turn and sends nothing loses it after this


class Turns:
    """Owns who may send. FLARE's threads ask and the rounds' thread gives back, so a lock guards it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._holders: dict[str, float] = {}  # and until when

    def take(self, site: str) -> bool:
        """Whether this site may send now; if not it asks again."""
        with self._lock:
            now = self._clock()
            self._holders = {name: end for name, end in self._holders.items() if end > now}
            if site not in self._holders and len(self._holders) >= AT_A_TIME:
                return False
            self._holders.setdefault(site, now + HOLD_S)
            return True

    def leave(self, site: str) -> None:
        """Its answer is on disk or refused, or the site is gone."""
        with self._lock:
            self._holders.pop(site, None)

    def clear(self) -> None:
        """The round is over."""
        with self._lock:
            self._holders.clear()
