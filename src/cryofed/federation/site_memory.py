"""What a site keeps for a strategy from round to round (SCAFFOLD's control, personal parts)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from cryofed.federation.orders import Order
from cryofed.federation.storage import read_arrays, write_arrays
from cryofed.federation.strategies.strategy import Memory


def load_memory(folder: Path | None, order: Order) -> Memory:
    """What was kept in the last round before this one.

    A round that is asked for again, because the aggregator was killed, so starts from the same memory
    and gives the same update.
    """
    earlier = [number for number in _kept(folder, order) if number < order.round_number]
    if folder is None or not earlier:
        return {}
    arrays, _ = read_arrays(_path(folder, order, max(earlier)))
    return {name: np.array(array) for name, array in arrays.items()}


def save_memory(folder: Path | None, order: Order, memory: Memory) -> None:
    """Keep this round's memory beside that of the round before; older ones go."""
    if folder is None or not memory:
        return
    path = _path(folder, order, order.round_number)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, dict(memory), {"round_number": order.round_number})
    earlier = sorted(number for number in _kept(folder, order) if number < order.round_number)
    for number in earlier[:-1]:
        _path(folder, order, number).unlink()


def _kept(folder: Path | None, order: Order) -> list[int]:
    if folder is None:
        return []
    names = [path.name for path in _path(folder, order, 0).parent.glob("round-*.safetensors")]
    return [int(re.sub(r"\D", "", name)) for name in names]


def _path(folder: Path, order: Order, number: int) -> Path:
    campaign = f"{order.plan_hash[:16]}-{order.start_hash[:16]}"
    return folder / "memory" / campaign / f"round-{number:06d}.safetensors"
