"""Who made which release the current one: a line each, which seals all lines before it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryofed.errors import InputError
from cryofed.federation.storage import append_line

START = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One release made current."""

    release: int
    model: str  # SHA-256 of its vector
    by: str  # the gate of a campaign, or a person and why
    time: str = ""  # UTC, to the second


def promotions(path: Path) -> list[Promotion]:
    """All promotions, the first one first.

    Raises:
        InputError: a line was altered, taken out or put in; what was cut off at the end is not noticed.
    """
    found, seal = [], START
    content = path.read_bytes() if path.exists() else b""
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            told = json.loads(line)
            if told.pop("previous") != seal:
                raise ValueError
            found.append(Promotion(**told))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InputError(
                path,
                f"line {number}",
                "it, or a line before it, was altered",
                "restore the file from a backup; never delete it",
            ) from None
        seal = _seal(seal, line)
    return found


def note_promotion(path: Path, promotion: Promotion) -> None:
    """Add a promotion, unless it is the last one already: a run that was killed comes back."""
    known = promotions(path)
    last = known[-1] if known else None
    if last and (last.release, last.model, last.by) == (promotion.release, promotion.model, promotion.by):
        return
    content = path.read_bytes() if path.exists() else b""
    if not content.endswith(b"\n") and content:  # a line that a crash cut: its promotion never happened
        content = content[: content.rfind(b"\n") + 1]
        path.write_bytes(content)
    seal = START
    for line in content.split(b"\n")[:-1]:
        seal = _seal(seal, line)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    append_line(path, asdict(promotion) | {"time": promotion.time or now, "previous": seal})


def _seal(before: str, line: bytes) -> str:
    return hashlib.sha256(before.encode() + line).hexdigest()
