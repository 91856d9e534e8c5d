"""At the aggregator: let in approved sites with the same cryofed, and write down why others were refused."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from cryofed import __version__
from cryofed.errors import FederationError
from cryofed.federation.engines.openfl.words import SILENT_S, printable
from cryofed.trust.keys import key_fingerprint, same_fingerprint
from cryofed.trust.members import Member, Registry, now

AGAIN_S = 60.0  # how soon the same refusal is written down again
MOST = 50  # refusals written down in this time, certificates and lives remembered


class DoorError(FederationError):
    """Who calls may not come in; the words say why."""


class SupersededError(DoorError):
    """An earlier process of a site, of which a later one has come in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a call, as TLS and the call itself say."""

    certificate: bytes  # PEM, which TLS has checked when the connection was made
    sender: str | None  # as the message says; None where it is still to come
    version: str = ""  # of the site's cryofed; empty where OpenFL's own program calls
    life: str = ""  # a word that the site's process has drawn for itself; empty as well


class Door:
    """The registry decides at every call, as it is now: it is read again whenever its file has changed."""

    def __init__(self, registry: Path, refusals: Path) -> None:
        self._registry, self._refusals = Registry(registry), refusals
        self._guard = Lock()
        self._keys: dict[
            bytes, tuple[str, datetime]
        ] = {}  # by certificate: its key's fingerprint, its last day
        self._lives: dict[str, list[str]] = {}  # of each site's processes, the last one at the end
        self._seen: dict[str, float] = {}
        self._written: dict[str, float] = {}  # reasons, and when they were last written down

    def enter(self, caller: Caller) -> str:
        """Judge one call; the site's name.

        Raises:
            DoorError: no approved site, an expired certificate, another version, or an earlier process.
        """
        with self._guard:
            key, last_day = self._key(caller.certificate)
            known = self._registry.members().values()
            member = next((m for m in known if same_fingerprint(m.fingerprint, key)), None)
            if member is None or member.role != "site":
                reason = f"key {key[:26]}… is not in the registry; approve its request first"
            elif member.revoked:
                reason = f"{member.name} was revoked on {member.revoked[:10]}"
            else:
                reason = self._reason(member, last_day, caller)
            if member is None or reason:
                self._write_down(member.name if member else "unknown", reason)
                raise DoorError(reason)
            self._seen[member.name] = time.monotonic()
            return member.name

    def life(self, name: str) -> str:
        """The word of the site's process that came in last."""
        with self._guard:
            return (self._lives.get(name) or [""])[-1]

    def present(self) -> set[str]:
        """Approved sites that have called lately."""
        since = time.monotonic() - SILENT_S
        with self._guard:
            live = self._registry.live()
            return {name for name, seen in self._seen.items() if seen > since and name in live}

    def revoked(self) -> set[str]:
        """Sites that take part no more."""
        with self._guard:
            return self._registry.revoked()

    def _reason(self, member: Member, last_day: datetime, caller: Caller) -> str:
        if last_day < datetime.now(UTC):
            return f"{member.name}'s certificate expired on {last_day.date()}; renew it"
        if caller.sender not in (None, member.name):
            return f"{member.name} calls itself {printable(str(caller.sender), 40)}"
        if caller.version not in ("", __version__):
            return (
                f"{member.name} runs cryofed {printable(caller.version, 20)}, the aggregator {__version__}; "
                "install the same"
            )
        lives = self._lives.setdefault(member.name, [])
        if caller.life not in lives or not caller.life:  # OpenFL's own program draws no word
            del lives[:-MOST]
            lives.append(caller.life)
        if caller.life != lives[-1]:
            reason = f"another process of {member.name} has come in since; only the last one stays"
            raise SupersededError(reason)
        return ""

    def _key(self, certificate: bytes) -> tuple[str, datetime]:
        known = self._keys.get(certificate)
        if known is None:
            from cryptography import x509

            try:
                read = x509.load_pem_x509_certificate(certificate)
            except ValueError:
                raise DoorError("no certificate") from None
            known = key_fingerprint(read.public_key()), read.not_valid_after_utc
            if len(self._keys) >= MOST:
                self._keys.clear()
            self._keys[certificate] = known
        return known

    def _write_down(self, name: str, reason: str) -> None:
        """Once a minute: a site that is refused may try again every few seconds, for ever."""
        seconds = time.monotonic()
        self._written = {told: last for told, last in self._written.items() if seconds - last < AGAIN_S}
        if reason in self._written or len(self._written) >= MOST:
            return
        self._written[reason] = seconds
        with self._refusals.open("a") as file:
            file.write(json.dumps({"time": now(), "site": name, "reason": reason}) + "\n")
