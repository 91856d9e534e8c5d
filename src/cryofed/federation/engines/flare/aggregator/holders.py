"""One live holder of each site's name: who has the registry's key, in the session that it began last."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from threading import Lock

from cryofed.disk.documents import read_document, write_document
from cryofed.errors import InputError
from cryofed.trust.keys import key_fingerprint, same_fingerprint
from cryofed.trust.members import Registry

SESSIONS = "sessions.json"  # beside the registry: by site, the hash of its session's token and its key


class Holders:
    """Judges for FLARE, which itself checks that whoever shows a certificate has its key, and nothing more.

    FLARE takes any certificate of the authority, and a session's token for ever: a key that was replaced or
    revoked would come in, and a session of it would go on, also after the aggregator was started again.
    """

    def __init__(self, registry: Path) -> None:
        self._registry, self._path = Registry(registry), registry.with_name(SESSIONS)
        self._guard = Lock()
        try:
            self._sessions = {
                name: (token, key) for name, (token, key) in read_document(self._path)["sites"].items()
            }
        except (InputError, KeyError, TypeError, ValueError, AttributeError):
            self._sessions = {}  # whoever had one begins another

    def refuses(self, name: str, certificate: bytes, *, coordinator: bool) -> str:
        """Why this certificate may not come in under this name; nothing where it may."""
        from cryptography.x509 import load_pem_x509_certificates

        try:
            key = key_fingerprint(load_pem_x509_certificates(certificate)[0].public_key())
        except (ValueError, TypeError, IndexError):
            return f"{name} shows no certificate"
        if coordinator:
            known = [one for one in self._registry.live().values() if one.role == "coordinator"]
            fits = any(same_fingerprint(one.fingerprint, key) for one in known)
        else:
            member = self._registry.live().get(name)
            fits = bool(member and member.role == "site" and same_fingerprint(member.fingerprint, key))
        return (
            "" if fits else f"{name} has the key {key[:26]}…, which is not in the registry, or not any more"
        )

    def entered(self, name: str, token: str, certificate: bytes) -> None:
        """A site has begun a session; an older one of the same name has ended."""
        from cryptography.x509 import load_pem_x509_certificates

        key = key_fingerprint(load_pem_x509_certificates(certificate)[0].public_key())
        with self._guard:
            self._sessions[name] = (_hashed(token), key)
            write_document(
                self._path, {"sites": {site: list(sessions) for site, sessions in self._sessions.items()}}
            )

    def holds(self, name: str, token: str) -> bool:
        """Whether a message of this session may be taken; those of the aggregator and coordinator may."""
        members = self._registry.members()
        member = members.get(name)
        if member is not None and member.role != "site":
            return True
        if member is None:
            return name not in self._sessions
        token_hash, key = self._sessions.get(name, ("", ""))
        return (
            not member.revoked and token_hash == _hashed(token) and same_fingerprint(member.fingerprint, key)
        )


def _hashed(token: str) -> str:
    return hashlib.sha256(json.dumps(token).encode()).hexdigest()
