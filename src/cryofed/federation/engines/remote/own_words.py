"""Words that a site sends of its own, where its learner has no answer; they stand in the audit like any."""

from __future__ import annotations

from pathlib import Path

from cryofed.disk.whole import mapped_bytes
from cryofed.errors import CryoFedError
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.federation.engines.remote.serving import say

# All others come from the learner, whose outbox has written them down.
OWN_WORDS = frozenset({"dismissed", "late", "no_update", "order_lost", "site_crashed"})


def write_down(site: Path, word: str, order: Path) -> None:
    """Add one of these words to the site's audit, before it goes. What it cannot add, it says in its log.

    Args:
        site: the site's folder; one without an invitation, as a rehearsal has, keeps no audit.
        word: that is about to leave.
        order: the file of the order that it answers, if it came so far.
    """
    home = SiteHome(site)
    if word not in OWN_WORDS or not home.invitation.exists():
        return
    from cryofed.federation.engines.remote.agreeing import consent_of
    from cryofed.federation.engines.remote.invitation import read_invitation
    from cryofed.federation.site.outbox import Outbox
    from cryofed.federation.wire.orders import Answer

    try:
        invitation = read_invitation(home.invitation)
        accepted = consent_of(home).accepted()
        outbox = Outbox(home.audit, f"{invitation.host}:{invitation.port}", accepted)
        data = mapped_bytes(order) if order.is_file() and order.stat().st_size else b""
        outbox.release(Answer(site="", failure=word), data, {"guard": None, "privacy": None})
    except (CryoFedError, OSError) as error:
        say(f"{word} is not in the audit: {error}")
