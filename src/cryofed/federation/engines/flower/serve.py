"""The aggregator's process, `python -m …flower.serve KIT PORT`: seven paths of Flower's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.flower.carrier import FlowerCarrier
from cryofed.federation.engines.flower.link import Link
from cryofed.federation.engines.remote.homes import TRANSFER, Home
from cryofed.federation.engines.remote.serving import Serving, serve


@contextmanager
def opened(home: Home, port: int) -> Iterator[Serving]:
    """Flower's server on this port."""
    link = Link(home.folder / TRANSFER, home.identity, home.registry, home.refusals)

    def carrier(plan: Plan, text: str, check: Callable[[], None]) -> closing[FlowerCarrier]:
        quorum = min(plan.rounds.min_updates, len(plan.site_names))
        return closing(FlowerCarrier(link, text, quorum, plan.site_names, check=check))

    try:
        link.open("0.0.0.0", port)
        yield Serving(lambda: link.serves, carrier)
    finally:
        link.close()


if __name__ == "__main__":
    raise SystemExit(serve(Path(sys.argv[1]), lambda home: opened(home, int(sys.argv[2]))))
