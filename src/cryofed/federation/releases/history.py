"""Who made which release the current one: a line each, which seals all lines before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cryofed.disk.chain import Record, add_record, altered, read_chain


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
    return _all(path, read_chain(path))


def note_promotion(path: Path, promotion: Promotion) -> None:
    """Add a promotion, unless it is the last one already: a run that was killed comes back."""

    def unless_known(earlier: Sequence[Record]) -> Record | None:
        known = _all(path, earlier)
        if known and replace(known[-1], time="") == replace(promotion, time=""):
            return None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return asdict(replace(promotion, time=promotion.time or now))

    add_record(path, unless_known)


def _all(path: Path, records: Sequence[Record]) -> list[Promotion]:
    lines = []
    for number, record in enumerate(records, 1):
        try:
            lines.append(Promotion(**record))
        except TypeError:
            raise altered(path, number) from None
    return lines
