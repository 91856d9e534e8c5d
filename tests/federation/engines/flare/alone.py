"""One site that waits to be interrupted: python -m tests.federation.engines.flare.alone FOLDER."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from tests.contract import toy
from tests.contract.flare_harness import learner_of

from cryofed.federation.agreement.plan import NetworkRules
from cryofed.federation.engines.flare import FLARE
from cryofed.federation.engines.remote.connection import free_port

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored
    folder = Path(sys.argv[1])
    library = folder / "library.db"
    library.touch()
    plan = replace(
        toy.plan(("alpha",), min_updates=1), engine="flare", network=NetworkRules(port=free_port())
    )
    with (
        learner_of("tests.contract.toy_learner"),
        FLARE.here(plan, {"alpha": library}, folder / "home"),
    ):
        print("runs", flush=True)
        time.sleep(600)
