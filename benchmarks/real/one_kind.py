"""Jobs of one kind: only the bad classes of a set, and only its good ones, each shown as a job of its own.

Beside them a single good class among all bad ones: what finds junk alone must not lose it.

Whatever is relative to the job (contrast, sharpness, the score) is measured anew among the classes that are
shown. The models and calibrations are those of `ours`: none saw the molecule.

What the authors of a real set left out need not be junk. What is bad in RELION's jobs is: the truth of every
particle is known. No model was trained on them, so these are judged by the one that is shipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.real.folds import fold_of_structures
from benchmarks.real.ours import Bench, Told, calibration_of, decided, judged_relion, seen_of
from benchmarks.real.programs import product
from benchmarks.real.table import FEWEST
from cryofed.jobs.job import ClassJob
from cryofed.scoring.scorer import scorable

DRAWS = 6  # good classes of a set, each shown as the only one


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """The share of a set's classes of one kind that is kept when nothing else is shown."""

    name: str
    good: bool
    n: int
    kept: float


def alone(bench: Bench, told: Sequence[Told], seed: int) -> list[Alone]:
    """The classes of each kind of every real set as a job, by the default policy."""
    return [_alone(one, shown, told) for one, shown in shown_alone(bench, told, seed)]


def shown_alone(bench: Bench, told: Sequence[Told], seed: int) -> list[tuple[Told, Told]]:
    """Every real set, and its classes of one kind as a job of their own; of each kind that it has."""
    return [
        (one, _shown(bench, one, which, seed))
        for one in told
        if one.kind == "real"
        for good in (False, True)
        if (which := one.counted & np.isfinite(one.logits) & (one.good == good)).any()
    ]


def single(bench: Bench, told: Sequence[Told], seed: int) -> list[bool]:
    """Whether a good class is kept, shown with nothing but the bad ones of its set; `DRAWS` of each set."""
    kept = []
    for one in told:
        usable = one.counted & np.isfinite(one.logits)
        bad, good = usable & ~one.good, np.flatnonzero(usable & one.good)
        if one.kind == "real" and bad.any():
            fitted = calibration_of(told, one)
            for chosen in np.random.default_rng(seed).permutation(good)[:DRAWS]:
                which = bad.copy()
                which[chosen] = True
                shown = _shown(bench, one, which, seed)
                kept.append(bool(np.asarray(decided(shown, fitted).kept)[shown.good].all()))
    return kept


def _alone(one: Told, shown: Told, told: Sequence[Told]) -> Alone:
    kept = np.asarray(decided(shown, calibration_of(told, one)).kept)
    return Alone(name=one.name, good=bool(shown.good[0]), n=len(kept), kept=float(np.mean(kept)))


def table(runs: Sequence[Sequence[Alone]], singles: Sequence[bool]) -> str:
    """Real sets by what is kept of their bad classes alone, the worst first; means of the runs."""
    real = [_mean(runs, one) for one in runs[0]]
    lines = ["| set | bad | kept when alone | good | kept when alone |", "|---|---:|---:|---:|---:|"]
    lines += _rows(real)
    lines += ["", _words([(one.good, one.n, one.kept) for one in real])]
    lines += [
        "",
        f"A single good class among all bad ones of its set is kept in {np.mean(singles):.0%} of "
        f"{len(singles)} draws.",
    ]
    return "\n".join(lines).replace("%", " %")


def relion_table(data: Path) -> str:
    """RELION's judging jobs, by the shipped model: what is kept of either kind alone, the worst first.

    Each bad class that is kept is named, with the share of its particles that are true.
    """
    rows, passed, bad = [], [], 0
    for structures, one in judged_relion(data):
        kept: dict[bool, float] = {}
        cells = ["yes" if fold_of_structures(structures) != "all" else "no"]
        for good in (False, True):
            which = one.counted & scorable(one.job) & (one.good == good)
            if which.any():
                answer = product(part_of(one.job, which))
                kept[good] = float(np.mean(answer.kept))
                share = np.average(answer.kept, weights=one.particles[which])
                cells.append(f"{which.sum()} | {kept[good]:.0%} | {share:.0%}")
                if not good:
                    bad += int(which.sum())
                    passed += [
                        f"class {one.job.classes.number[i]} of {one.job.path.name} "
                        f"({one.purity[i]:.0%} of its particles are true)"
                        for i in np.flatnonzero(which)[np.asarray(answer.kept)]
                    ]
            else:
                cells.append("0 | – | –")
        rows.append((-kept.get(False, -1.0), one.job.path.name, cells))
    lines = [
        "| RELION's job | kin in the training | bad | kept when alone | of their particles "
        "| good | kept when alone | of their particles |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
        *(f"| {name} | {' | '.join(cells)} |" for _, name, cells in sorted(rows)),
        "",
        f"Kept of {bad} bad classes: {', '.join(passed) or 'none'}.",
    ]
    return "\n".join(lines).replace("%", " %")


def _mean(runs: Sequence[Sequence[Alone]], of: Alone) -> Alone:
    same = [one for run in runs for one in run if (one.name, one.good) == (of.name, of.good)]
    return replace(of, kept=float(np.mean([one.kept for one in same])))


def _rows(of: Sequence[Alone]) -> list[str]:
    kinds = {(one.name, one.good): one for one in of}
    kept = {name: kinds[name, False].kept if (name, False) in kinds else -1.0 for name, _ in kinds}
    return [
        f"| {name} | {' | '.join(_cells(kinds.get((name, good))) for good in (False, True))} |"
        for name in sorted(kept, key=lambda name: (-kept[name], name))
    ]


def _cells(of: Alone | None) -> str:
    return "0 | –" if of is None else f"{of.n} | {of.kept:.0%}"


def _words(of: Sequence[tuple[bool, int, float]]) -> str:
    bad, good = ([kept for kind, n, kept in of if kind == want and n >= FEWEST] for want in (False, True))
    nothing = sum(kept == 0 for kept in bad)
    return (
        f"Of sets with {FEWEST} or more of a kind: of bad classes alone {np.mean(bad):.0%} are kept on the "
        f"mean, and nothing in {nothing} of {len(bad)} sets; of good classes alone {np.mean(good):.0%} are "
        f"kept on the mean, and {min(good):.0%} at the least."
    )


def _shown(bench: Bench, one: Told, which: NDArray[np.bool_], seed: int) -> Told:
    """The chosen classes as a job of their own, judged anew."""
    job = part_of(one.job, which)
    logits, looked = seen_of(bench.vector(one.fold, seed), job)
    return replace(
        one, job=job, good=one.good[which], counted=one.counted[which], particles=one.particles[which],
        logits=logits, looks=looked,
    )  # fmt: skip


def part_of(job: ClassJob, which: NDArray[np.bool_]) -> ClassJob:
    """Some classes of a job as a job without a particle table."""
    table = job.classes
    rows = {name: getattr(table, name)[which] for name in type(table).__slots__}
    return replace(
        job, averages=np.asarray(job.averages[which]), classes=type(table)(**rows), particle_classes=None
    )
