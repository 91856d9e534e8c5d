"""At the aggregator: let in approved sites with the same cryofed, and write down why others were refused."""

from __future__ import annotations

import json
import time
from pathlib import Path

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_component import FLComponent
from nvflare.apis.fl_constant import FLContextKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.fl_exception import NotAuthenticated
from nvflare.private.defs import ClientType

from cryofed import __version__
from cryofed.disk.logs import write_log
from cryofed.federation.engines.flare.aggregator.holders import Holders
from cryofed.federation.engines.flare.inside import judge_keys, refuse_references
from cryofed.federation.engines.flare.site.greeter import VERSION
from cryofed.federation.engines.remote.homes import REFUSALS
from cryofed.trust.members import now, read_members

AGAIN_S = 60.0  # how soon the same refusal is written down again
MOST = 50  # refusals written down in this time


class Doorkeeper(FLComponent):  # type: ignore[misc]  # FLARE is untyped
    """FLARE ignores every exception but `NotAuthenticated`, so whatever fails here ends as that one."""

    def __init__(self, registry: str) -> None:
        super().__init__()
        refuse_references()
        self.registry = registry
        self._written: dict[str, float] = {}  # reasons, and when they were last written down
        judge_keys(Holders(Path(registry)), self._write_down)

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        """Called before FLARE checks certificate and signature, between which `Holders` looks at the key."""
        if event_type != EventType.CLIENT_REGISTER_RECEIVED:
            return
        try:
            reason = self._reason(fl_ctx)
        except Exception as error:  # every failure must refuse
            raise NotAuthenticated(f"the doorkeeper failed: {type(error).__name__}") from error
        if reason:
            raise NotAuthenticated(reason)

    def _reason(self, fl_ctx: FLContext) -> str:
        if fl_ctx.get_prop(FLContextKey.CLIENT_TYPE) == ClientType.ADMIN:
            return ""  # the coordinator's session; FLARE checks its certificate and role itself
        peer = fl_ctx.get_peer_context()
        name = _plain(peer.get_identity_name() if peer else "")
        version = _plain(peer.get_prop(VERSION) if peer else "")
        member = read_members(Path(self.registry)).get(name)
        if member is not None and member.revoked:
            reason = f"{name} was revoked on {member.revoked[:10]}"
        elif member is None or member.role != "site":
            reason = f"{name} is not in the registry; approve its request first"
        elif version != __version__:
            reason = f"{name} runs cryofed {version}, the aggregator {__version__}; install the same version"
        else:
            return ""
        self._write_down(name, reason)
        return reason

    def _write_down(self, name: str, reason: str) -> None:
        """Once a minute: a site that is refused tries again every few seconds, for ever."""
        name, reason = _plain(name), "".join(letter for letter in reason[:300] if letter.isprintable())
        seconds = time.monotonic()
        self._written = {reason: last for reason, last in self._written.items() if seconds - last < AGAIN_S}
        if reason in self._written or len(self._written) >= MOST:
            return
        self._written[reason] = seconds
        write_log(
            Path(self.registry).parent / REFUSALS, json.dumps({"time": now(), "site": name, "reason": reason})
        )


def _plain(text: object) -> str:
    """What another machine calls itself, fit to be shown in a terminal."""
    return "".join(letter for letter in str(text)[:64] if letter.isprintable())
