"""The aggregator's side: an order becomes a file in each asked site's corner, and so does an answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from cryofed.disk.whole import mapped_bytes, write_whole
from cryofed.federation.wire.orders import Answer

ALIVE_S = 60.0  # until which all sites have made their first sign of life


class FolderCarrier:
    """Fills `aggregator.carrier.Carrier`; numbers its orders, so that no late answer is taken for another."""

    def __init__(self, folder: Path, processes: Mapping[str, BaseProcess], look_s: float) -> None:
        self._folder, self._processes, self._look_s = folder, processes, look_s
        self._number = 0
        self._waiting: list[str] = []
        end = time.monotonic() + ALIVE_S
        while not all((folder / name / "ready").exists() for name in processes) and time.monotonic() < end:
            time.sleep(look_s)

    def present(self) -> Sequence[str]:
        """Sites whose process is there."""
        return sorted(
            name
            for name, process in self._processes.items()
            if process.is_alive() and (self._folder / name / "ready").exists()
        )

    def ask(self, order: bytes, sites: Sequence[str]) -> None:
        """Lay the order down; its name says its number, and comes when its content is whole."""
        self._number += 1
        self._waiting = list(sites)
        for name in sites:
            write_whole(self._folder / name / f"order-{self._number:06d}", order)

    def answer(self, timeout_s: float) -> Answer | None:
        """The first answer to this order that lies there, or a site whose process is gone."""
        end = time.monotonic() + timeout_s
        while True:
            for name in list(self._waiting):
                found = self._of(name)
                if found is not None:
                    self._waiting.remove(name)
                    return found
            if time.monotonic() >= end:
                return None
            time.sleep(self._look_s)

    def dismiss(self) -> None:
        """Take back what nobody has answered: a site that works on it stops."""
        for name in self._waiting:
            (self._folder / name / f"order-{self._number:06d}").unlink(missing_ok=True)
        self._waiting = []

    def _of(self, name: str) -> Answer | None:
        corner, ending = self._folder / name, f"{self._number:06d}"
        if (corner / f"failure-{ending}").exists():
            return Answer(site=name, failure=(corner / f"failure-{ending}").read_text())
        path = corner / f"answer-{ending}"
        if path.exists():
            data = mapped_bytes(path) if path.stat().st_size else b""
            return Answer(site=name, data=data, failure="" if data else "empty")
        if not self._processes[name].is_alive():
            return Answer(site=name, failure="site_gone")
        return None
