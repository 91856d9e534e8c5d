"""Does training at home help? A laboratory's labelled averages teach, its next job or other molecules judge.

The laboratories are those of `federation.SITES`. Training starts from a model that never saw the molecule of
the laboratory, as the release never saw what a laboratory will work on, and what judges was not seen either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.real.federation import SITES
from benchmarks.real.folds import FOLDS, fold_of
from benchmarks.real.levels import levels
from benchmarks.real.ours import Bench, calibration, left_out, seen_of
from benchmarks.real.recipe import of_job
from benchmarks.real.sets import RealSet
from cryofed.learning.learner import TrainingSettings, train
from cryofed.learning.local import EPOCHS, FEWEST, STEPS
from cryofed.learning.metrics import auc, brier
from cryofed.learning.vector import Vector, vector_hash
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.looks import Looks
from cryofed.scoring.scorer import scorable

BATCH = 64
KINDS = {
    "next job": "the next job of the same molecule",
    "other molecule": "other molecules",
    "own next": "the laboratory's next molecule, from a model that saw no real average",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a laboratory trains. `steps` 0: each average `EPOCHS` times, as the product does."""

    part: str
    rate: float
    steps: int = 0

    def settings(self, n: int) -> TrainingSettings:
        """For n averages."""
        steps = self.steps or int(np.clip(EPOCHS * n / BATCH, *STEPS))
        return TrainingSettings(steps=steps, learning_rate=self.rate, one_cycle=True, part=self.part)


WAYS: Mapping[str, Way] = {
    "all, rate 3e-4": Way(part="all", rate=3e-4),
    "head, rate 1e-3": Way(part="head", rate=1e-3),
    "head, rate 3e-3": Way(part="head", rate=3e-3),
    "head, rate 1e-3, 400 steps": Way(part="head", rate=1e-3, steps=400),
}
CHOSEN = "all, rate 3e-4, quarter"  # what `cryofed train` does with so few jobs
SHARES = {"": 1.0, ", half": 0.5, ", quarter": 0.25}  # of what was trained; the rest is what it started from


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What teaches, what judges, and the training of `ours` that saw neither ("start": no real average)."""

    kind: str
    lab: str
    fold: str
    taught: tuple[str, ...]
    judged: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Of one judged set, before and after; AUC is NaN where all classes are of one kind."""

    lesson: Lesson
    judged: str
    auc: tuple[float, float]
    brier: tuple[float, float]


def lessons(sets: Sequence[RealSet]) -> Iterator[Lesson]:
    """Every laboratory with enough labels of both kinds, as `cryofed train` asks for."""
    by_name = {one.name: one for one in sets}
    for lab, names in SITES.items():
        mine = [by_name[name] for name in names if name in by_name and by_name[name].training]
        for judge in mine:
            others = [one for one in mine if one is not judge]
            if _enough(others):
                yield _lesson("next job", lab, fold_of(judge.molecule), others, [judge])
        if not _enough(mine):
            continue
        molecules = {one.molecule for one in mine}
        fold = fold_of(mine[0].molecule)
        unseen = [one for one in sets if not one.demonstration and one.molecule not in molecules]
        yield _lesson(
            "other molecule", lab, fold, mine, [one for one in unseen if _never_seen(one, fold, sets)]
        )
        source = lab.split("-")[0]  # CASSPER's authors have two molecules, the others one
        own = [one for one in unseen if any(one.name in SITES[of] for of in SITES if of.startswith(source))]
        if own:
            yield _lesson("own next", lab, "start", mine, own)


def figures(
    bench: Bench, seeds: Sequence[int], kept: Path, say: Callable[[str], None]
) -> dict[str, list[Figure]]:
    """Every judged set of every lesson and seed, by way; what was trained before is read."""
    found: dict[str, list[Figure]] = {}
    by_name = {one.name: one for one in bench.sets}
    known = cache(lambda seed, fold: calibration(left_out(bench, [seed]), fold))
    begun = levels(bench.sets, bench.vector("start", 1))
    for seed in seeds:
        for lesson in lessons(bench.sets):
            start = bench.vector(lesson.fold, 1 if lesson.fold == "start" else seed)
            path = kept / f"{_key(lesson, start)}-{seed}.npz"
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                np.savez(path, **_seen(lesson, start, by_name, seed))
                say(f"seed {seed}: {lesson.lab}, {KINDS[lesson.kind]}")
            with np.load(path) as arrays:
                for key in arrays.files:
                    way, name = key.split("\t")
                    fitted = begun[name] if lesson.fold == "start" else known(seed, lesson.fold)
                    before = _quality(by_name[name], arrays[f"start\t{name}"], fitted)
                    after = _quality(by_name[name], arrays[key], fitted)
                    figure = Figure(
                        lesson=lesson, judged=name, auc=(before[0], after[0]), brier=(before[1], after[1])
                    )
                    found.setdefault(way, []).append(figure)
    return found


def table(found: Mapping[str, Sequence[Figure]]) -> str:
    """A line for each way, the worst on other molecules first: mean and worst change by kind of judge."""
    heads = [f"AUC, {words} | worst change | Brier" for words in KINDS.values()]
    head = f"| trained | {' | '.join(heads)} |"
    lines = [head, f"|---|{'---:|---:|---:|' * len(KINDS)}"]

    def harm(of_way: Sequence[Figure]) -> float:
        return float(np.mean([f.brier[1] for f in of_way if f.lesson.kind == "other molecule"]))

    for way, of_way in sorted(found.items(), key=lambda item: -harm(item[1])):
        cells = []
        for kind in KINDS:
            mine = [f for f in of_way if f.lesson.kind == kind]
            both = [f for f in mine if not np.isnan(f.auc[0])]
            worst = min(_by_set(both).items(), key=lambda item: item[1])
            cells += [
                f"{np.mean([f.auc[1] for f in both]):.3f}",
                "–" if way == "start" else f"{worst[1]:+.3f} {worst[0]}".replace("-", "−", 1),
                f"{np.mean([f.brier[1] for f in mine]):.3f}",
            ]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def each_lab(found: Mapping[str, Sequence[Figure]], way: str) -> str:
    """One way laboratory by laboratory, the worst change first."""
    rows: dict[tuple[str, str], list[Figure]] = {}
    for figure in found[way]:
        rows.setdefault((figure.lesson.kind, figure.lesson.lab), []).append(figure)
    lines = ["| judged on | laboratory | averages of | AUC | Brier |", "|---|---|---|---:|---:|"]
    told = []
    for (kind, lab), mine in rows.items():
        a = np.array([f.auc for f in mine if not np.isnan(f.auc[0])]).mean(axis=0)
        b = np.array([f.brier for f in mine]).mean(axis=0)
        what = ", ".join(dict.fromkeys(name for f in mine for name in f.lesson.taught))
        line = f"| {KINDS[kind]} | {lab} | {what} | {a[0]:.3f} → {a[1]:.3f} | {b[0]:.3f} → {b[1]:.3f} |"
        told.append((a[1] - a[0], line))
    return "\n".join(lines + [line for _, line in sorted(told)])


def _lesson(kind: str, lab: str, fold: str, taught: Sequence[RealSet], judged: Sequence[RealSet]) -> Lesson:
    return Lesson(
        kind=kind,
        lab=lab,
        fold=fold,
        taught=tuple(one.name for one in taught),
        judged=tuple(one.name for one in judged),
    )


def _enough(taught: Sequence[RealSet]) -> bool:
    good, bad = (sum(getattr(one, kind) for one in taught) for kind in ("n_good", "n_bad"))
    return good + bad >= FEWEST and min(good, bad) > 0


def _never_seen(one: RealSet, fold: str, sets: Sequence[RealSet]) -> bool:
    """No set of this molecule was in the fold's training."""
    shown = {of.molecule for of in sets if of.training} - set(FOLDS[fold].molecules)
    return one.molecule not in shown


def _seen(
    lesson: Lesson, start: Vector, by_name: Mapping[str, RealSet], seed: int
) -> dict[str, NDArray[np.float64]]:
    """Logits, sharpness and flatness `(3, n)` of every way and judged set."""
    mine = Labelled.join([_labelled(by_name[name]) for name in lesson.taught])
    vectors = {"start": start}
    for name, way in WAYS.items():
        trained = train(start, mine, way.settings(len(mine)), seed).vector
        for words, share in SHARES.items():
            vectors[name + words] = np.float32(share) * trained + np.float32(1 - share) * start
    found = {}
    for way, vector in vectors.items():
        for judge in lesson.judged:
            logits, looked = seen_of(vector, by_name[judge].job)
            found[f"{way}\t{judge}"] = np.stack([logits, looked.sharp, looked.flat])
    return found


def _labelled(one: RealSet) -> Labelled:
    """As a library holds a person's selection: yes is 1 and no is 0."""
    told = of_job(one.job, one.good, one.counted & scorable(one.job))
    return replace(told, target=told.good.astype(np.float32))


def _quality(one: RealSet, seen: NDArray[np.float64], fitted: Calibration) -> tuple[float, float]:
    known = np.isfinite(seen[0])
    score = np.full(len(known), np.nan)
    score[known] = fitted.probabilities(seen[0][known], Looks(seen[1][known], seen[2][known]))
    which = one.counted & known
    return auc(score[which], one.good[which]), brier(score[which], one.good[which])


def _by_set(of: Sequence[Figure]) -> dict[str, float]:
    """Change in AUC by judged set, mean over laboratories and seeds."""
    names = dict.fromkeys(f.judged for f in of)
    return {n: float(np.mean([f.auc[1] - f.auc[0] for f in of if f.judged == n])) for n in names}


def _key(lesson: Lesson, start: Vector) -> str:
    facts = repr(("looks", lesson, WAYS, SHARES, vector_hash(start)))
    return f"{lesson.lab}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"
