"""At the aggregator: let in approved sites with the same cryofed, and write down why others were refused."""

from __future__ import annotations

import json
import time
from pathlib import Path
from threading import Lock
from typing import Any

from cryofed import __version__
from cryofed.disk.logs import write_log
from cryofed.federation.engines.flower import inside
from cryofed.trust.keys import key_fingerprint, same_fingerprint
from cryofed.trust.members import Registry, now

BEAT_S = 10.0  # a site's sign of life, the shortest time that Flower accepts; after two without, it is gone
AGAIN_S = 60.0  # how soon the same refusal is written down again
MOST = 50  # refusals written down in this time
VERSION = "cryofed-version"  # a header of every request
LIFE = "cryofed-life"  # another: a word that a site's process has drawn for itself


class Door:
    """The registry decides, as it is now: it is read again whenever its file has changed."""

    def __init__(self, state: Any, registry: Path, refusals: Path) -> None:
        self._state, self._registry, self._refusals = state, Registry(registry), refusals
        self._guard = Lock()
        self._nodes: dict[str, tuple[int, str]] = {}  # by site: its node, and the fingerprint of its key
        self._lives: dict[str, str] = {}
        self._written: dict[str, float] = {}  # reasons, and when they were last written down

    def nodes(self) -> dict[str, int]:
        """Nodes of the sites that have been let in, by site."""
        self.refresh()
        with self._guard:
            return {name: node for name, (node, _) in self._nodes.items()}

    def life(self, name: str) -> str:
        """Which process of a site came in last: an order that an earlier one had fetched is lost."""
        with self._guard:
            return self._lives.get(name, "")

    def refresh(self) -> None:
        """Expel, after a change of the registry, whose key is not in it any more, or was revoked."""
        with self._guard:
            self._refresh()

    def enter(self, public_key: bytes, version: str, life: str) -> str:
        """A site activates itself, and Flower has checked that it holds this key; why not, or nothing."""
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        with self._guard:
            self._refresh()
            key = key_fingerprint(load_pem_public_key(public_key))
            known = self._registry.members().values()
            member = next((m for m in known if same_fingerprint(m.fingerprint, key)), None)
            if member is None or member.role != "site":
                reason = f"key {key[:26]}… is not in the registry; approve its request first"
            elif member.revoked:
                reason = f"{member.name} was revoked on {member.revoked[:10]}"
            elif version != __version__:
                theirs = (
                    "".join(letter for letter in version[:20] if letter.isprintable()) or "another version"
                )
                reason = (
                    f"{member.name} runs cryofed {theirs}, the aggregator {__version__}; install the same"
                )
            else:
                if member.name not in self._nodes:
                    node = inside.enrol(self._state, public_key, member.name, BEAT_S)
                    self._nodes[member.name] = (node, member.fingerprint)
                self._lives[member.name] = life[:64]
                return ""
            self._write_down(member.name if member else "unknown", reason)
            return reason

    def _refresh(self) -> None:
        live = self._registry.live()
        for name, (node, fingerprint) in list(self._nodes.items()):
            member = live.get(name)
            if member is None or not same_fingerprint(member.fingerprint, fingerprint):
                inside.expel(self._state, node)
                del self._nodes[name]

    def _write_down(self, name: str, reason: str) -> None:
        """Once a minute: a site that is refused may try again every few seconds, for ever."""
        seconds = time.monotonic()
        self._written = {reason: last for reason, last in self._written.items() if seconds - last < AGAIN_S}
        if reason in self._written or len(self._written) >= MOST:
            return
        self._written[reason] = seconds
        write_log(self._refusals, json.dumps({"time": now(), "site": name, "reason": reason}))
