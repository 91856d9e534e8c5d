"""The privacy ledger: what each private training costs is written down, and bounded, before it begins.

One record per training or private answer. All that saw an average in common spend from one budget, whatever
their library is called and whichever site's folder they ran in: anchors in the library and in the user's
place (`anchors`) say where the ledgers are and how far they had come, so that one that was deleted or put
back is noticed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cryofed.disk.chain import Record, add_record, altered, head, read_chain
from cryofed.errors import GuardError, MissingPackageError
from cryofed.federation.site.guard.anchors import LEDGER, anchors_of, ledgers_of, remember
from cryofed.federation.site.guard.contents import Records, kept_records, share

UNIT = "record: one class average, added or removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """One private training of one library."""

    library: str
    campaign: str  # the plan's hash
    round_number: int
    examples: int
    sampling_rate: float
    noise_multiplier: float
    steps: int
    records: str = ""  # names the averages that it saw (`contents.keep_records`)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """An ε with all that gives it a meaning; printed whole or not at all."""

    epsilon: float
    delta: float
    runs: int
    unit: str = UNIT
    accountant: str = "PLD, dp-accounting"

    def __str__(self) -> str:
        return (
            f"ε = {self.epsilon:.2f} at δ = {self.delta:.1e} per {self.unit}; "
            f"{self.runs} private trainings composed; accountant {self.accountant}"
        )


def statement(spends: Iterable[Spend]) -> Statement:
    """What all these trainings together promise each record; δ is 1 / (10 n) of the largest n."""
    rows = list(spends)
    delta = 1 / (10 * max((row.examples for row in rows), default=1))
    return Statement(epsilon=_epsilon(rows, delta), delta=delta, runs=len(rows))


def ledger_of(folder: Path, file: Path | None, records: Records) -> Ledger:
    """The ledger of these averages: the one that an anchor names, else that of this site's folder.

    Args:
        folder: the site's.
        file: the library; None has no anchors.
        records: the averages that are to be used.

    Raises:
        GuardError: a ledger that was spent from is not there, or was put back.
    """
    own = folder / LEDGER
    known = [] if file is None else ledgers_of(anchors_of(file, records), own)
    first, *others = known or [own]
    return Ledger(first, file=file, others=tuple(others))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The append-only file of private trainings. `others` were spent from for the same averages, too."""

    path: Path
    file: Path | None = None  # the library, in which it is anchored
    others: tuple[Path, ...] = ()

    def spends(self, library: str) -> list[Spend]:
        """All that was spent on this library's averages; refuses a file that was altered."""
        rows = self._all(read_chain(self.path))
        own = [row for row in rows if row.library == library]
        return [row for row in rows if any(self._touch(row, one) for one in own)]

    def charge(self, spend: Spend, max_epsilon: float) -> Statement:
        """Write the spend down, on disk before this returns, unless it would exceed the budget.

        A training that is done again after a crash is charged again: never too little.

        Raises:
            GuardError: over budget; nothing was written and nothing may be trained.
        """
        after: list[Statement] = []

        records = self._records(self.path, spend.records)

        def within_budget(earlier: Sequence[Record]) -> Record:
            if self.file is not None and records is not None:
                ledgers_of(anchors_of(self.file, records), self.path)
            rows = [row for row in self._all(earlier) if self._touch(row, spend)]
            for path in self.others:
                rows += [
                    row
                    for row in self._all(read_chain(path))
                    if row.library == spend.library or share(records, self._records(path, row.records))
                ]
            total = statement([*rows, spend])
            if max_epsilon and total.epsilon > max_epsilon:
                raise GuardError(
                    "budget",
                    f"this round would bring the library to {total}; the policy allows ε = {max_epsilon:g}. "
                    "Raise guard.noise_multiplier, sit this campaign out, or raise guard.max_epsilon",
                )
            after.append(total)
            return asdict(spend)

        add_record(self.path, within_budget)  # two campaigns of one site share the budget
        if self.file is not None and records is not None:
            remember(self.file, records, self.path, head(self.path))
        return after[0]

    def _touch(self, one: Spend, other: Spend) -> bool:
        if one.library == other.library:
            return True
        if not one.records or not other.records:
            return False
        return one.records == other.records or share(
            self._records(self.path, one.records), self._records(self.path, other.records)
        )

    def _records(self, path: Path, name: str) -> Records | None:
        return kept_records(path.parent, name) if name else None

    def _all(self, records: Sequence[Record]) -> list[Spend]:
        spends = []
        for number, record in enumerate(records, 1):
            try:
                spends.append(Spend(**record))
            except TypeError:
                raise altered(self.path, number) from None
        return spends


def _epsilon(rows: list[Spend], delta: float) -> float:
    try:
        from dp_accounting import dp_event
        from dp_accounting.pld import PLDAccountant
    except ImportError:
        raise MissingPackageError("dp-accounting", "privacy") from None
    steps: Counter[tuple[float, float]] = Counter()
    for row in rows:
        if row.noise_multiplier <= 0:
            return float("inf")
        steps[row.sampling_rate, row.noise_multiplier] += row.steps
    accountant = PLDAccountant()
    for (rate, noise), count in sorted(steps.items()):
        event = dp_event.GaussianDpEvent(noise)
        accountant.compose(dp_event.PoissonSampledDpEvent(rate, event) if rate < 1 else event, count)
    return float(accountant.get_epsilon(delta)) if rows else 0.0
