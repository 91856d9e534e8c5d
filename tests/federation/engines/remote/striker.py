"""A site's own learner, which kills a role with signal 9 in the middle of a phase of a masked round.

`CRYOFED_TEST_STRIKES` names a file of strikes: `{site, round, task, victim}`. The site has worked on that
task, and what must be on its disk is there; its answer has not left. `victim` is a kit.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import psutil

from cryofed.disk.lines import append_line
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.remote import learner_child, processes
from cryofed.federation.site import answering
from cryofed.federation.site.answering import Site
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import Answer
from cryofed.federation.wire.papers import unpack_sealed
from cryofed.federation.wire.parcels import SEALED_SCHEMA, schema_of

MASKED = "masked.jsonl"  # in a site's folder: every masked update that its learner has made


def main(kit: Path) -> None:
    """The product's own learner, but for the strikes."""
    believed = answering.answer

    def answer(data: Buffer, plan: Plan, site: Site) -> Answer:
        given = believed(data, plan, site)
        if given.data and schema_of(given.data) == SEALED_SCHEMA:
            sealed = unpack_sealed(given.data, 1 << 30)
            if sealed.task == "mask":
                end = hashlib.sha256(bytes(sealed.content)[-4096:]).hexdigest()
                append_line(kit.parent / MASKED, {"words": end})
            strike(kit, site.name, sealed.round_number, sealed.task)
        return given

    answering.answer = answer
    learner_child.main(kit)


def strike(own: Path, site: str, number: int, task: str) -> None:
    """Kill whoever is to die now."""
    file = Path(os.environ["CRYOFED_TEST_STRIKES"])
    for index, one in enumerate(json.loads(file.read_text())):
        done = file.with_suffix(f".{index}")
        if (one["site"], one["round"], one["task"]) != (site, number, task) or done.exists():
            continue
        done.touch()
        for process in processes.running(Path(one["victim"])):
            if process.pid != os.getpid():
                kill(process)
        if Path(one["victim"]) == own:
            os.kill(os.getpid(), signal.SIGKILL)


def kill(process: psutil.Process) -> None:
    try:
        process.kill()
        process.wait(10)
    except psutil.Error:
        pass


if __name__ == "__main__":
    main(Path(sys.argv[1]))
