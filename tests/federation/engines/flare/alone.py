"""One site that waits to be interrupted: python -m tests.federation.engines.flare.alone FOLDER."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from tests.contract import toy
from tests.contract.flare_harness import learner_of

from cryofed.federation.engines.flare.coordinator.local import local_federation, with_free_port

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored
    folder = Path(sys.argv[1])
    library = folder / "library.db"
    library.touch()
    with (
        learner_of("tests.contract.flare_learner"),
        local_federation(with_free_port(toy.plan(("alpha",))), {"alpha": library}, folder / "home"),
    ):
        print("runs", flush=True)
        time.sleep(600)
