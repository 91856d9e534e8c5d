"""One leg of a campaign that moves: python -m tests.federation.engines.remote.leg ENGINE HOME LAST PORT.

It begins the campaign in HOME, or goes on with it, in the environment of its own interpreter, and ends as a
person ends `run`: by Ctrl-C, after round LAST; after the plan's last round the gate speaks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file
from tests.federation.engines.remote.mover import LIMIT, NAMES, site_moves

from cryofed.federation.aggregator.campaign import run_campaign
from cryofed.federation.agreement import plan_file
from cryofed.federation.agreement.plan import AdmissionRules, EnrolledSite, NetworkRules, Plan, RoundRules
from cryofed.federation.engines.deployment import deployment_of
from cryofed.federation.engines.embedded.carrier import embedded
from cryofed.federation.releases.refill import places_in
from cryofed.federation.releases.store import first_release, release_numbers
from cryofed.federation.site.answering import Site
from cryofed.schema.reading import parse_toml
from cryofed.scoring.calibration import UNKNOWN
from cryofed.scoring.scorer import SHIPPED

ROUNDS = 3


def plan_of(engine: str, port: int) -> Plan:
    """The same plan but for who carries it, as it is read from a file."""
    plan = Plan(
        name="moving",
        engine=engine,
        network=NetworkRules(port=port),
        rounds=RoundRules(count=ROUNDS, min_updates=2, deadline_s=300, grace_s=2),
        admission=AdmissionRules(max_norm=1e9),
        sites=tuple(EnrolledSite(name=name, max_examples=1000) for name in NAMES),
    )
    return plan_file.plan_of(parse_toml(plan_file.commented_plan(plan), "plan"), "plan")


def main(engine: str, home: Path, last: int, port: int) -> None:
    """From where the campaign is to the end of round `last`."""
    os.environ |= {LIMIT: str(last), "CRYOFED_LEARNER": "tests.federation.engines.remote.mover"}
    plan = plan_of(engine, port)
    if not release_numbers(home / "releases"):
        layout, _, _ = places_in(SHIPPED.parent)
        start = layout.join(load_file(SHIPPED.with_name("weights.safetensors")))
        first_release(home / "releases", start, UNKNOWN, {"origin": "shipped"})

    def listen(event: str, facts: Mapping[str, Any]) -> None:
        if event == "round_closed" and facts["round"] == last < ROUNDS:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        if engine == "embedded":
            sites = {name: Site(name=name, source=None) for name in NAMES}  # type: ignore[arg-type]
            with embedded(plan, sites, site_moves) as carrier:
                run_campaign(home, plan, carrier, [listen], patient=True)
            return
        library = home / "library.db"
        library.touch()  # sites that move have none
        deployment = deployment_of(engine)
        with deployment.here(plan, dict.fromkeys(NAMES, library), home) as running:
            deployment.run(running, home / "plan.toml", home, [listen])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
