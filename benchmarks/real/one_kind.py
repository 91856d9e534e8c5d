"""Jobs of one kind: only the bad classes of a set, and only its good ones, each shown as a job of its own.

Whatever is relative to the job (contrast, sharpness, the cut) is measured anew among the classes that are
shown. The models and calibrations are those of `ours`: none saw the molecule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.real.ours import Bench, Told, calibration_of, decided, seen_of
from benchmarks.real.table import FEWEST
from cryofed.jobs.job import ClassJob
from cryofed.selection.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """The share of a set's classes of one kind that is kept when nothing else is shown.

    `without`: the same by a policy that never takes a job for nothing but junk.
    """

    name: str
    good: bool
    n: int
    kept: float
    without: float


def alone(bench: Bench, told: Sequence[Told], seed: int) -> list[Alone]:
    """Every real set's classes of each kind as a job, by the default policy."""
    found = []
    for one in told:
        if one.kind != "real":
            continue
        for good in (False, True):
            which = one.counted & np.isfinite(one.logits) & (one.good == good)
            if which.any():
                shown = _shown(bench, one, which, seed)
                fitted = calibration_of(told, one)
                kept, without = (
                    float(np.mean(np.asarray(decided(shown, fitted, policy).kept)))
                    for policy in (Policy(), Policy(least_odds=0))
                )
                found.append(Alone(name=one.name, good=good, n=int(which.sum()), kept=kept, without=without))
    return found


def table(runs: Sequence[Sequence[Alone]]) -> str:
    """Sets by what is kept of their bad classes alone, the worst first; means of the runs."""
    mean = {
        (one.name, one.good): replace(
            one,
            kept=float(np.mean([run[i].kept for run in runs])),
            without=float(np.mean([run[i].without for run in runs])),
        )
        for i, one in enumerate(runs[0])
    }
    names = dict.fromkeys(name for name, _ in mean)
    order = sorted(names, key=lambda name: (-mean[name, False].kept if (name, False) in mean else 1, name))
    lines = ["| set | bad | kept when alone | good | kept when alone |", "|---|---:|---:|---:|---:|"]
    for name in order:
        cells = [_cells(mean.get((name, kind))) for kind in (False, True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    of = list(mean.values())
    told = [_words([(one.good, one.n, one.kept) for one in of])]
    told.append(f"Without the rule: {_words([(one.good, one.n, one.without) for one in of])}")
    return "\n".join([*lines, "", "\n\n".join(told)])


def _words(of: Sequence[tuple[bool, int, float]]) -> str:
    bad, good = ([kept for kind, n, kept in of if kind == want and n >= FEWEST] for want in (False, True))
    nothing = sum(kept == 0 for kept in bad)
    return (
        f"Of sets with {FEWEST} or more of a kind: of bad classes alone {np.mean(bad):.0%} are kept on the "
        f"mean, and nothing in {nothing} of {len(bad)} sets; of good classes alone {np.mean(good):.0%} are "
        f"kept on the mean, and {min(good):.0%} at the least."
    ).replace("%", " %")


def _cells(of: Alone | None) -> str:
    return "0 | –" if of is None else f"{of.n} | {of.kept:.0%}".replace("%", " %")


def _shown(bench: Bench, one: Told, which: NDArray[np.bool_], seed: int) -> Told:
    """The chosen classes as a job of their own, judged anew."""
    job = part_of(one.job, which)
    logits, sharper = seen_of(bench.vector(one.fold, seed), job)
    return replace(
        one, job=job, good=one.good[which], counted=one.counted[which], particles=one.particles[which],
        logits=logits, sharper=sharper,
    )  # fmt: skip


def part_of(job: ClassJob, which: NDArray[np.bool_]) -> ClassJob:
    """Some classes of a job as a job without a particle table."""
    table = job.classes
    rows = {name: getattr(table, name)[which] for name in type(table).__slots__}
    return replace(
        job, averages=np.asarray(job.averages[which]), classes=type(table)(**rows), particle_classes=None
    )
