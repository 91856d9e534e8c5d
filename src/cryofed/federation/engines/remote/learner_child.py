"""The learner's process, `python -m …learner_child KIT`: orders on stdin, a line each; answers on stdout."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryofed.disk.whole import mapped_bytes
from cryofed.errors import CryoFedError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.plan_file import plan_of
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.federation.engines.remote.settings import library_path, read_settings
from cryofed.federation.site.outbox import failure_code
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import Answer
from cryofed.schema.reading import parse_toml

PLAN = "the aggregator's plan"  # as errors name it

Reply = Callable[[Buffer, str], Answer]


def plan_in(text: str) -> Plan:
    """The plan of a trial, which no agreement covers."""
    return plan_of(parse_toml(text, PLAN), PLAN)


def serve(reply: Reply) -> None:
    """Answer order after order until the executor closes the pipe.

    A line is JSON: `{plan, order, answer}` comes, the last two are paths of files; `{failure}` goes back,
    empty where the answer was written. The first line says `{ready}`: all that it needs is imported.

    Args:
        reply: answers an order, given what came with it as `plan`: the signed agreement, or a trial's plan.
    """
    _die_with_parent()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever prints here goes to the log, not between the answers
    print('{"ready": true}', file=answers, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        answer = _answered(reply, order)
        if not answer.failure:
            Path(order["answer"]).write_bytes(answer.data)
        print(json.dumps({"failure": answer.failure}), file=answers, flush=True)


def _answered(reply: Reply, order: Mapping[str, Any]) -> Answer:
    try:
        return reply(mapped_bytes(Path(order["order"])), order["plan"])
    except CryoFedError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return Answer(site="", failure=failure_code(error))


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
    from cryofed.federation.agreement.site_policy import SitePolicy, read_policy
    from cryofed.federation.engines.remote.agreeing import claim_of, consent_of, sealed, witness_of
    from cryofed.federation.engines.remote.invitation import read_invitation
    from cryofed.federation.site.answering import LibraryFile, Site, answer
    from cryofed.federation.site.attesting import forget_proof
    from cryofed.federation.site.masked import Signet
    from cryofed.federation.site.outbox import Outbox

    home = SiteHome(kit.parent)
    forget_proof(home.work)

    def reply(data: Buffer, text: str) -> Answer:
        invitation, consent = read_invitation(home.invitation), consent_of(home)
        outbox = Outbox(home.audit, f"{invitation.host}:{invitation.port}", consent.accepted())
        with outbox.failures(data):
            agreement = consent.agreed(text.encode())
            settings = read_settings(home)  # anew each time: the site may have changed its mind
            policy = read_policy(home.policy) if home.policy.exists() else SitePolicy()
            source = LibraryFile(library_path(home, settings))
            signet = Signet(sealed(agreement), home.identity.key) if agreement.plan.masked else None
            witness = witness_of(agreement) if agreement.plan.attested else None
            claim = claim_of(agreement, settings.name, home) if agreement.plan.sites_attest else None
        site = Site(
            name=settings.name,
            source=source,
            folder=home.work,
            policy=policy.guard,
            answers=policy.answers,
            work=policy.work,
            outbox=outbox,
            device=settings.device,
            signet=signet,
            witness=witness,
            claim=claim,
        )
        return answer(data, agreement.plan, site)

    serve(reply)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
