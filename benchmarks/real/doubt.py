"""Which jobs does the model doubt, and rightly? Each set whole, and its bad and its good classes alone.

The model sees a molecule that it never saw, or one of a half of the molecules that it never saw. A job is in
doubt where the policy says so; beside that stands the share of its classes that fall on the wrong side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.real.one_kind import shown_alone
from benchmarks.real.ours import Bench, Told, calibration_of, decided, judged_by
from cryofed.selection.policy import Policy

KINDS = ("whole sets", "bad classes alone", "good classes alone")
MOST_WRONG = 0.3  # of a job's classes; a job with more of them should have been in doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubted:
    """One job as it was shown: how much it is doubted, and the share of its classes on the wrong side."""

    name: str
    kind: str
    doubt: float
    wrong: float

    @property
    def in_doubt(self) -> bool:
        """As the default policy has it."""
        return self.doubt > Policy().max_doubt


def doubted(bench: Bench, told: Sequence[Told], seed: int) -> list[Doubted]:
    """Every job of `told` whole, and the real ones' classes of one kind."""
    whole = [(one, one, KINDS[0]) for one in told if (one.counted & np.isfinite(one.logits)).any()]
    alone = [(one, shown, KINDS[1 + shown.good[0]]) for one, shown in shown_alone(bench, told, seed)]
    return [_doubted(one, shown, kind, told) for one, shown, kind in whole + alone]


def table(by_protocol: dict[str, Sequence[Sequence[Doubted]]]) -> str:
    """By protocol, each with its runs, and by kind: how many are in doubt, and what is wrong where."""
    lines = [
        "| left out | shown | jobs | in doubt | wrong there | wrong elsewhere "
        "| over 30 % wrong, not in doubt |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for protocol, runs in by_protocol.items():
        for kind in KINDS:
            found = [one for run in runs for one in run if one.kind == kind]
            missed = [one.name for one in found if not one.in_doubt and one.wrong > MOST_WRONG]
            cells = [
                f"{len(found) / len(runs):.0f}",
                f"{sum(one.in_doubt for one in found) / len(runs):.1f}",
                _wrong([one for one in found if one.in_doubt]),
                _wrong([one for one in found if not one.in_doubt]),
                _names(missed, len(runs)),
            ]
            lines.append(f"| {protocol} | {kind} | {' | '.join(cells)} |")
    lines += ["", "In doubt, whole:"]
    for protocol, runs in by_protocol.items():
        names = [one.name for run in runs for one in run if one.kind == KINDS[0] and one.in_doubt]
        lines.append(f"- {protocol} left out: {_names(names, len(runs))}")
    return "\n".join(lines)


def _doubted(one: Told, shown: Told, kind: str, told: Sequence[Told]) -> Doubted:
    fitted = calibration_of(told, one)
    which = shown.counted & np.isfinite(shown.logits)
    kept = np.asarray(decided(shown, fitted).kept)
    return Doubted(
        name=one.name,
        kind=kind,
        doubt=judged_by(shown, fitted).doubt,
        wrong=float(np.mean(kept[which] != shown.good[which])),
    )


def _wrong(jobs: Sequence[Doubted]) -> str:
    return f"{100 * float(np.mean([one.wrong for one in jobs])):.0f} %" if jobs else "–"


def _names(names: Sequence[str], runs: int) -> str:
    """Each name once, with the number of runs that it is from where that is not all of them."""
    counts = {name: names.count(name) for name in sorted(names)}
    said = [name if n == runs else f"{name} ({n} of {runs})" for name, n in counts.items()]
    return ", ".join(said) or "none"
