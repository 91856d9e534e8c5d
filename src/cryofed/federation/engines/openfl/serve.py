"""The aggregator's process, `python -m …openfl.serve KIT PORT`: OpenFL's aggregator behind our door."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.openfl.carrier import OpenFLCarrier
from cryofed.federation.engines.openfl.fx import WORKSPACE, write_plan
from cryofed.federation.engines.openfl.link import Link
from cryofed.federation.engines.remote.homes import TRANSFER, Home
from cryofed.federation.engines.remote.invitation import read_invitation
from cryofed.federation.engines.remote.serving import Serving, serve


@contextmanager
def opened(home: Home, port: int) -> Iterator[Serving]:
    """OpenFL's server on this port."""
    invitation = read_invitation(home.invitation)
    fx = write_plan(home.aggregator / WORKSPACE, invitation)
    link = Link(
        home.folder / TRANSFER, home.identity, home.registry, home.refusals, invitation.federation, fx=fx
    )

    def carrier(plan: Plan, text: str, check: Callable[[], None]) -> closing[OpenFLCarrier]:
        quorum = min(plan.rounds.min_updates, len(plan.site_names))
        return closing(
            OpenFLCarrier(link, text, quorum, plan.site_names, deadline_s=plan.rounds.deadline_s, check=check)
        )

    try:
        link.open("0.0.0.0", port)
        yield Serving(lambda: link.serves, carrier)
    finally:
        link.close()


if __name__ == "__main__":
    raise SystemExit(serve(Path(sys.argv[1]), lambda home: opened(home, int(sys.argv[2]))))
