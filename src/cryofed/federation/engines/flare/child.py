"""The learner's process, `python -m …flare.child KIT`: orders on stdin, answers on stdout."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cryofed.errors import CryoFedError
from cryofed.federation.engines.flare.homes import SiteHome
from cryofed.federation.engines.flare.pipe import READY, Bytes, read_frame, write_frame
from cryofed.federation.engines.flare.settings import library_path, read_settings
from cryofed.federation.orders import Answer
from cryofed.federation.plan import Plan
from cryofed.federation.plan_file import plan_of

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

Reply = Callable[[bytes, Plan], Answer]
_NOTHING: Bytes = np.zeros(0, np.uint8)


def serve(reply: Reply) -> None:
    """Answer order after order until the executor closes the pipe."""
    _die_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints here goes to the log, not between the answers
    write_frame(answers, READY, _NOTHING)
    while True:
        try:
            header, payload = read_frame(sys.stdin.buffer)
        except EOFError:
            return
        answer = _answered(reply, header, payload)
        told = {"failure": answer.failure} if answer.failure else {}
        write_frame(answers, told, np.frombuffer(answer.data, np.uint8) if answer.data else _NOTHING)


def _answered(reply: Reply, header: Mapping[str, Any], payload: Bytes) -> Answer:
    try:
        plan = plan_of(tomllib.loads(str(header.get("plan", ""))), "the aggregator's plan")
        return reply(payload.tobytes(), plan)
    except (CryoFedError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return Answer(site="", failure="site_error")


def _die_with_parent() -> None:
    """A learner whose executor was killed would train on, unheard: notice, and end."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(kit: Path) -> None:
    """Serve with this site's own library."""
    from cryofed.federation.guard.policy import read_policy
    from cryofed.federation.guard.rules import GuardRules
    from cryofed.federation.site import LibraryFile, Site, answer

    home = SiteHome(kit.parent)

    def reply(data: bytes, plan: Plan) -> Answer:
        settings = read_settings(home)  # anew each time: the site may have changed its mind
        policy = read_policy(home.policy) if home.policy.exists() else GuardRules()
        source = LibraryFile(library_path(home, settings))
        return answer(data, plan, Site(name=settings.name, source=source, folder=home.work, policy=policy))

    serve(reply)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
