"""Look for sites' updates in the memory of an aggregator's processes, again and again while they run."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from cryofed.disk.arrays import read_arrays
from cryofed.errors import CryoFedError
from cryofed.federation.agreement.masking import fixed_point
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.remote import processes
from cryofed.federation.wire.parcels import UPDATE_SCHEMA, unpack

CHUNK = 64 << 20
NUMBERS = 32  # of one piece that is looked for: nobody else has them by chance
SEALS = 64  # bytes before an answer that a site has kept


def pieces(numbers: NDArray[np.generic], count: int = 2) -> list[bytes]:
    """A few runs of the numbers, from places where they are not all zero."""
    busy = np.flatnonzero(numbers[:-NUMBERS])
    firsts = busy[(np.linspace(0.1, 0.9, count) * (len(busy) - 1)).astype(int)]
    return [numbers[first : first + NUMBERS].tobytes() for first in firsts]


def updates(plan: Plan, sites: Path) -> dict[str, list[bytes]]:
    """By `site, form`: what would be found where a site's update is, as far as sites have made one.

    In profile masked a site's folder has the update in the clear, as float32; under the masks lie whole
    numbers. In the others it has the answer as it left.
    """
    found = {}
    for site in plan.site_names:
        work = sites / site / "work"
        with suppress(CryoFedError, OSError):
            if plan.profile == "masked":
                arrays, told = read_arrays(work / "masks" / "update.safetensors")
                vector = arrays["vector"]
                found[f"{site}, float32"] = pieces(vector)
                words = fixed_point(plan).words(vector, told["weight"])
                found[f"{site}, whole numbers"] = pieces(words)
            else:
                answer = (work / "last.answer").read_bytes()[SEALS:]
                vector = np.frombuffer(unpack(answer, UPDATE_SCHEMA, 1 << 30).payload, np.float32)
                found[f"{site}, float32"] = pieces(vector)
    return found


def memory_of(process: psutil.Process, folder: Path) -> Iterator[bytes]:
    """The readable memory of a process: all of it but the files of libraries."""
    with Path(f"/proc/{process.pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines():
            place, rights, _, _, _, *name = line.split(maxsplit=5)
            file = name[0] if name else ""
            is_file = file.startswith("/") and not file.startswith(str(folder))
            if rights[0] != "r" or file in ("[vvar]", "[vsyscall]") or (is_file and "w" not in rights):
                continue
            first, last = (int(edge, 16) for edge in place.split("-"))
            for start in range(first, last, CHUNK):
                with suppress(OSError, OverflowError):  # unmapped meanwhile
                    memory.seek(start)
                    yield memory.read(min(CHUNK + 16 * NUMBERS, last - start))


class Searching(threading.Thread):
    """Searches until it is stopped.

    `found` has what was seen of which site, `looks` how often all of the memory was gone through.
    """

    def __init__(self, kit: Path, plan: Plan, sites: Path, known: Mapping[str, list[bytes]]) -> None:
        super().__init__(daemon=True)
        self._kit, self._plan, self._sites, self._known = kit, plan, sites, known
        self._end = threading.Event()
        self.found: set[str] = set()
        self.sought: set[str] = set()
        self.looks = 0

    def run(self) -> None:
        """Search."""
        while not self._end.is_set():
            self._look(dict(self._known) | updates(self._plan, self._sites))
            self._end.wait(0.1)

    def stop(self) -> None:
        """Let the search that runs come to its end."""
        self._end.set()
        self.join(120)

    def _look(self, sought: Mapping[str, list[bytes]]) -> None:
        self.sought |= {*sought}
        for process in self._processes():
            with suppress(OSError, psutil.Error):
                for part in memory_of(process, self._kit.parent.parent):
                    left = {what: texts for what, texts in sought.items() if what not in self.found}
                    self.found |= {
                        what for what, texts in left.items() if any(text in part for text in texts)
                    }
                self.looks += 1

    def _processes(self) -> list[psutil.Process]:
        workers = dict[int, psutil.Process]()
        for worker in processes.running(self._kit):
            with suppress(psutil.Error):
                workers |= {one.pid: one for one in (worker, *worker.children(recursive=True))}
        return list(workers.values())
