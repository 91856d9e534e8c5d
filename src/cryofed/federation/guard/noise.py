"""Third guard: the privacy ledger. Noise is added while training; here its cost is kept and bounded.

One file per site, one line per private training, written before the training begins. All campaigns
that touch a library spend from one budget, because the library's records are the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from cryofed.errors import GuardError, InputError, MissingPackageError

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
        return [row for row in self._rows() if row.library == library]

    def charge(self, spend: Spend, max_epsilon: float) -> Statement:
        """Write the spend down, on disk before this returns, unless it would exceed the budget.

        A training that is done again after a crash is charged again: never too little.

        Raises:
            GuardError: over budget; nothing was written and nothing may be trained.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # two campaigns of one site share the budget
            after = statement([*self.spends(spend.library), spend])
            if max_epsilon and after.epsilon > max_epsilon:
                raise GuardError(
                    "budget",
                    f"this round would bring the library to {after}; the policy allows ε = {max_epsilon:g}. "
                    "Raise guard.noise_multiplier, sit this campaign out, or raise guard.max_epsilon",
                )
            file.seek(0)
            content = file.read()
            if not content.endswith(b"\n"):  # a line cut by a crash: its training never began
                content = content[: content.rfind(b"\n") + 1]
                file.truncate(len(content))
            line = json.dumps(asdict(spend) | {"previous": _seal(content)}, sort_keys=True)
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return after

    def _rows(self) -> list[Spend]:
        content = self.path.read_bytes() if self.path.exists() else b""
        rows, so_far = [], b""
        for number, line in enumerate(content.split(b"\n")[:-1], 1):
            try:
                told = json.loads(line)
                if told.pop("previous") != _seal(so_far):
                    raise ValueError
                rows.append(Spend(**told))
            except (ValueError, TypeError, KeyError):
                raise InputError(
                    self.path,
                    f"line {number}",
                    "altered or damaged",
                    "restore it from a backup; never delete it",
                ) from None
            so_far += line + b"\n"
        return rows


def secret_seed(folder: Path, *parts: object) -> int:
    """A seed that only this site can make: the same parts give the same noise, other parts other noise.

    The parts must name everything that the training depends on (round, received model, library). Were
    a received model left out, an aggregator could ask twice and subtract the noise.
    """
    path = folder / "noise.key"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        part = path.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    text = json.dumps([str(part) for part in parts]).encode()
    return int.from_bytes(hmac.new(path.read_bytes(), text, hashlib.sha256).digest()[:8], "big") >> 1


def _seal(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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
