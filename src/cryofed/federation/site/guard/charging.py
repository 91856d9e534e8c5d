"""Charge the privacy ledger for one use of a library's averages, before the use begins."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from cryofed.federation.site.guard.anchors import LEDGER
from cryofed.federation.site.guard.contents import keep_records, records_of
from cryofed.federation.site.guard.ledger import Ledger, Spend, Statement, ledger_of, statement
from cryofed.federation.wire.orders import Order
from cryofed.library.labelled import Labelled
from cryofed.library.privacy import read_anchor


class Named(Protocol):
    """A source of averages, as far as the ledger must know it."""

    @property
    def name(self) -> str:
        """Of the library."""
        ...

    @property
    def file(self) -> Path | None:
        """The library's file, in which the ledger is anchored; None where there is none."""
        ...


def charge(
    folder: Path,
    source: Named,
    labelled: Labelled,
    order: Order,
    *,
    rate: float,
    noise: float,
    steps: int,
    most: float,
) -> Statement:
    """Write the spend into the ledger of these averages.

    Args:
        folder: the site's.
        source: whose averages they are.
        labelled: all that the use may look at.
        order: for which they are used.
        rate: chance of each average to be looked at in a step; 1 looks at all.
        noise: deviation over sensitivity.
        steps: how often.
        most: ε; 0 has no bound.

    Raises:
        GuardError: over budget, or the ledger is not what an anchor says.
    """
    records = records_of(labelled)
    ledger = ledger_of(folder, source.file, records)
    spend = Spend(
        library=source.name,
        campaign=order.plan_hash,
        round_number=order.round_number,
        examples=len(labelled),
        sampling_rate=rate,
        noise_multiplier=noise,
        steps=steps,
        records=keep_records(ledger.path.parent, records),
    )
    return ledger.charge(spend, most)


def spent(folder: Path, source: Named) -> Statement:
    """What all uses of a library so far promise each average; for reports, the averages are not read.

    Args:
        folder: the site's.
        source: the library.
    """
    known = None if source.file is None else read_anchor(source.file)
    path = folder / LEDGER if known is None or not known[0].exists() else known[0]
    return statement(Ledger(path).spends(source.name))
