"""The site's secret: seeds of its noise and of its draw, which nobody else can make."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from pathlib import Path

from cryofed.disk.whole import write_whole
from cryofed.errors import GuardError

KEY_BYTES = 32


def secret_seed(folder: Path, *parts: object) -> int:
    """A seed that only this site can make: the same parts give the same seed, other parts another.

    For noise the parts must name everything that the training depends on: the averages and labels themselves,
    every rule, the round, the received model. Were one left out, an aggregator could have it changed, ask
    again and subtract the noise.

    Raises:
        GuardError: the key is not one that this function made; nothing may be trained.
    """
    path = folder / "noise.key"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_whole(path, secrets.token_bytes(KEY_BYTES), mode=0o600)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        problem = (
            f"{path} holds {len(key)} bytes, not {KEY_BYTES}: whoever knows the key can take the noise away"
        )
        raise GuardError("noise-key", f"{problem}; restore it from a backup, or remove it for a new one")
    text = json.dumps([str(part) for part in parts]).encode()
    return int.from_bytes(hmac.new(key, text, hashlib.sha256).digest()[:8], "big") >> 1
