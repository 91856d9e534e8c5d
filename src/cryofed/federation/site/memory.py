"""What a site keeps from round to round: its strategy's and guards' memory, and its last answer."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cryofed.disk.arrays import read_arrays, write_arrays
from cryofed.disk.whole import write_whole
from cryofed.federation.strategies.strategy import Memory
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import Order
from cryofed.learning.vector import Vector

CAMPAIGNS = 2  # whose memory is kept: orders that name ever other campaigns must not fill the disk


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteMemory:
    """What the strategy and the guards keep."""

    strategy: Memory = field(default_factory=dict)
    guard: Memory = field(default_factory=dict)


def load_memory(folder: Path | None, order: Order) -> SiteMemory:
    """What was kept in the last round before this one.

    A round that is asked for again, because the aggregator was killed, so starts from the same memory
    and gives the same update.
    """
    earlier = [number for number in _kept(folder, order) if number < order.round_number]
    if folder is None or not earlier:
        return SiteMemory()
    arrays, _ = read_arrays(_path(folder, order, max(earlier)))
    parts: dict[str, dict[str, Vector]] = {"strategy": {}, "guard": {}}
    for name, array in arrays.items():
        whose, _, part = name.partition("/")
        parts[whose][part] = np.array(array)
    return SiteMemory(**parts)


def save_memory(folder: Path | None, order: Order, memory: SiteMemory) -> None:
    """Keep this round's memory beside that of the round before; older ones, and older campaigns', go."""
    arrays = {f"strategy/{name}": array for name, array in memory.strategy.items()}
    arrays |= {f"guard/{name}": array for name, array in memory.guard.items()}
    if folder is None or not arrays:
        return
    path = _path(folder, order, order.round_number)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, arrays, {"round_number": order.round_number})
    earlier = sorted(number for number in _kept(folder, order) if number < order.round_number)
    for number in earlier[:-1]:
        _path(folder, order, number).unlink()
    campaigns = sorted(path.parent.parent.iterdir(), key=lambda one: one.stat().st_mtime)
    for old in campaigns[:-CAMPAIGNS]:
        if old != path.parent:
            shutil.rmtree(old, ignore_errors=True)


def last_answer(folder: Path | None, order: Buffer) -> bytes | None:
    """The answer to exactly this order, if it was the last one: sent again, not trained again.

    So an aggregator that comes back after a crash gets the same bytes, at no cost in time or privacy.
    """
    path = None if folder is None else folder / "last.answer"
    if path is None or not path.exists():
        return None
    content = path.read_bytes()
    known, seal, kept = content[:32], content[32:64], content[64:]
    # A damaged answer is no answer: the site works again, and a private one is charged again.
    whole = known == hashlib.sha256(order).digest() and seal == hashlib.sha256(kept).digest()
    return kept if whole else None


def keep_answer(folder: Path | None, order: Buffer, answer: bytes) -> bytes:
    """Remember an answer; returns it."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        seals = (hashlib.sha256(order).digest(), hashlib.sha256(answer).digest())
        write_whole(folder / "last.answer", *seals, answer)
    return answer


def _kept(folder: Path | None, order: Order) -> list[int]:
    if folder is None:
        return []
    names = [path.name for path in _path(folder, order, 0).parent.glob("round-*.safetensors")]
    return [int(re.sub(r"\D", "", name)) for name in names]


def _path(folder: Path, order: Order, number: int) -> Path:
    campaign = f"{order.plan_hash[:16]}-{order.start_hash[:16]}"
    return folder / "memory" / campaign / f"round-{number:06d}.safetensors"
