"""Third guard: noise that only this site can make. It is added while training; the ledger keeps its cost."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from pathlib import Path

from cryofed.disk.whole import write_whole


def secret_seed(folder: Path, *parts: object) -> int:
    """A seed that only this site can make: the same parts give the same noise, other parts other noise.

    The parts must name everything that the training depends on (round, received model, library). Were
    a received model left out, an aggregator could ask twice and subtract the noise.
    """
    path = folder / "noise.key"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_whole(path, secrets.token_bytes(32), mode=0o600)
    text = json.dumps([str(part) for part in parts]).encode()
    return int.from_bytes(hmac.new(path.read_bytes(), text, hashlib.sha256).digest()[:8], "big") >> 1
