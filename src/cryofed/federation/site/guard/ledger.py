"""The privacy ledger: what each private training costs is written down, and bounded, before it begins.

One file per site, one record per training. All campaigns that touch a library spend from one budget, because
the library's records are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cryofed.disk.chain import Record, add_record, altered, read_chain
from cryofed.errors import GuardError, MissingPackageError

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


@dataclass(frozen=True, slots=True)
class Ledger:
    """The append-only file of a site's private trainings."""

    path: Path

    def spends(self, library: str) -> list[Spend]:
        """All that was spent on this library; refuses a file that was altered."""
        return self._of(library, read_chain(self.path))

    def charge(self, spend: Spend, max_epsilon: float) -> Statement:
        """Write the spend down, on disk before this returns, unless it would exceed the budget.

        A training that is done again after a crash is charged again: never too little.

        Raises:
            GuardError: over budget; nothing was written and nothing may be trained.
        """
        after: list[Statement] = []

        def within_budget(earlier: Sequence[Record]) -> Record:
            total = statement([*self._of(spend.library, earlier), spend])
            if max_epsilon and total.epsilon > max_epsilon:
                raise GuardError(
                    "budget",
                    f"this round would bring the library to {total}; the policy allows ε = {max_epsilon:g}. "
                    "Raise guard.noise_multiplier, sit this campaign out, or raise guard.max_epsilon",
                )
            after.append(total)
            return asdict(spend)

        add_record(self.path, within_budget)  # two campaigns of one site share the budget
        return after[0]

    def _of(self, library: str, records: Sequence[Record]) -> list[Spend]:
        spends = []
        for number, record in enumerate(records, 1):
            try:
                spends.append(Spend(**record))
            except TypeError:
                raise altered(self.path, number) from None
        return [spend for spend in spends if spend.library == library]


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
