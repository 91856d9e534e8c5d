"""The aggregator with 3, 10, 100 and 1,000 sites: its time and memory, with updates of the real size.

Sites here do not train: each sends a vector made from its name, so that what is measured is all the
aggregator's. Each size runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.plan import EnrolledSite, Plan, RoundRules
from cryofed.federation.engines.embedded import EmbeddedRules
from cryofed.federation.engines.embedded.carrier import embedded
from cryofed.federation.site.answering import Site
from cryofed.federation.wire.codecs import Buffer, encode
from cryofed.federation.wire.orders import Answer, unpack_order
from cryofed.federation.wire.parcels import pack_update
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Layout

SIZE = 397_560  # numbers of the shipped network
LAYOUT = Layout(("w",), ((SIZE,),))
SIZES = (  # sites, asked of them (0: all), share that drops out, rounds
    (3, 0, 0.0, 1),
    (10, 0, 0.0, 1),
    (100, 0, 0.0, 1),
    (1000, 100, 0.1, 20),
    (1000, 0, 0.0, 20),
)


class Spent:
    """CPU seconds that the sites' stand-in took, to be left out."""

    seconds = 0.0


def peak_mib() -> float:
    """This program's peak; `ru_maxrss` would be its parent's, if that was larger."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def answer(data: Buffer, plan: Plan, site: Site) -> Answer:
    """A site that is quick and remembers nothing."""
    began = time.process_time()
    order = unpack_order(data, SIZE)
    seed = int(site.name.rpartition("-")[2]) + 1
    vector = np.full(SIZE, np.float32(1e-3 / seed), np.float32)
    update = Update(
        site=site.name,
        round_number=order.round_number,
        model_hash=order.model_hash,
        layout_hash=LAYOUT.hash,
        vector=vector,
        examples=100 + seed % 50,
        steps=1,
    )
    packed = pack_update(update, encode(vector, "float32"))
    Spent.seconds += time.process_time() - began
    return Answer(site=site.name, data=packed)


def one(sites: int, asked: int, dropout: float, count: int) -> None:
    """Run in this process: print CPU seconds per round, peak MiB after one and all, updates of the last."""
    names = [f"site-{i}" for i in range(sites)]
    plan = Plan(
        rounds=RoundRules(count=count, sites_per_round=asked, min_updates=2, grace_s=3600.0),
        tables={"embedded": EmbeddedRules(dropout=dropout)},
        sites=tuple(EnrolledSite(name=name) for name in names),
    )
    people = {name: Site(name=name, source=None) for name in names}  # type: ignore[arg-type]
    last: dict[str, Any] = {}
    peaks: list[float] = []

    def note(event: str, facts: Mapping[str, Any]) -> None:
        if event == "round_closed":
            last.update(facts)
            peaks.append(peak_mib())

    with TemporaryDirectory() as folder:
        began = time.process_time()
        with (
            open_rounds(Path(folder), plan, LAYOUT, np.zeros(SIZE, np.float32), hooks=[note]) as rounds,
            embedded(plan, people, answer, inline=True) as carrier,
        ):
            run_rounds(rounds, carrier)
        spent = time.process_time() - began - Spent.seconds
    print(f"{spent / count:.3f} {peaks[0]:.0f} {peaks[-1]:.0f} {len(last['accepted'])}")


def main() -> None:
    """Print the table of docs/federation.md."""
    print(f"updates of {4 * SIZE / 1e6:.1f} MB, FedAvg")
    print("| sites | asked per round | dropout | rounds | updates | CPU s per round | ms per update "
          "| peak MiB after the first round | after all |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for sites, asked, dropout, count in SIZES:
        words = [sys.executable, "-m", "benchmarks.scale", *map(str, (sites, asked, dropout, count))]
        out = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
        cpu, came = float(out[0]), int(out[3])
        print(
            f"| {sites} | {asked or 'all'} | {dropout:g} | {count} | {came} |"
            f" {cpu:.2f} | {1000 * cpu / came:.0f} | {out[1]} | {out[2]} |",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) == 5:
        one(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
