"""Look at jobs with a model, and report the figures of every set."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.judging.sets import LabelledJob, class_averages, relion_jobs, shared_data, simulated_jobs
from cryofed.jobs.job import ClassJob
from cryofed.learning.metrics import auc, brier, calibration_error
from cryofed.selection.policy import Policy, job_cut

TEST_JOBS, TEST_SEED = 40, 103  # molecules that neither training nor calibration saw
Scorer = Callable[[ClassJob], NDArray[np.float64]]
COLUMNS = (
    "AUC", "F1", "precision", "recall", "lost", "junk rejected", "least good kept", "views", "ECE", "Brier",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """One job's scores and what came of them at the default policy."""

    of: LabelledJob
    score: NDArray[np.float64]
    kept: NDArray[np.bool_]


def look(jobs: list[LabelledJob], scorer: Scorer) -> list[Seen]:
    """Score every job and keep what the default policy keeps."""
    seen = []
    for of in jobs:
        score = scorer(of.job)
        seen.append(Seen(of, score, score >= job_cut(score, Policy())))
    return seen


def row(seen: list[Seen]) -> dict[str, float]:
    """The figures of one set, all of its jobs on one scale of scores.

    Precision, recall and lost are weighted by particles; lost is the share of the particles of good classes
    that is thrown away. "least good kept" is the lowest share of good classes kept in any one job.
    """

    def joined(part: Callable[[Seen], NDArray[np.generic]]) -> NDArray[np.generic]:
        return np.concatenate([part(s)[s.of.counted] for s in seen])

    score, kept = joined(lambda s: np.nan_to_num(s.score, nan=0.0)), joined(lambda s: s.kept)
    good, particles = joined(lambda s: s.of.good), joined(lambda s: s.of.particles)
    right = float((kept & good).sum())
    shares = [s.kept[s.of.counted & s.of.good].mean() for s in seen if (s.of.counted & s.of.good).any()]
    return {
        "AUC": auc(score, good),
        "F1": 2 * right / max(float(kept.sum() + good.sum()), 1),
        "precision": _share(particles, kept & good, kept),
        "recall": _share(particles, kept & good, good),
        "lost": _share(particles, ~kept & good, good),
        "junk rejected": _share(particles, ~kept & ~good, ~good),
        "least good kept": float(min(shares)) if shares else float("nan"),
        "views": views_kept(seen),
        "ECE": calibration_error(np.clip(score, 0, 1), good),
        "Brier": brier(np.clip(score, 0, 1), good),
    }


def views_kept(seen: list[Seen]) -> float:
    """Share of the views of good classes of which at least one class is kept; NaN where views are unknown.

    A view: good classes of one molecule whose directions lie within 25° of the first of them.
    """
    held = []
    for s in seen:
        if s.of.view is None:
            continue
        rest = list(np.flatnonzero(s.of.good & s.of.counted))
        while rest:
            first = rest[0]
            angle = np.degrees(np.arccos(np.clip(s.of.view[rest] @ s.of.view[first], -1, 1)))
            alike = (angle < 25) & (s.of.molecule[rest] == s.of.molecule[first])
            held.append(bool(s.kept[np.array(rest)[alike]].any()))
            rest = [i for i, a in zip(rest, alike, strict=True) if not a]
    return float(np.mean(held)) if held else float("nan")


def _share(weight: NDArray[np.generic], part: NDArray[np.generic], whole: NDArray[np.generic]) -> float:
    total = float(weight[whole].sum())
    return float(weight[part].sum()) / total if total else float("nan")


def sets() -> dict[str, list[LabelledJob]]:
    """Every set by name: simulated molecules never seen, RELION's jobs, each real set, all real ones."""
    found = {"simulated hold-out": list(simulated_jobs(TEST_JOBS, TEST_SEED))}
    data = shared_data()
    if data is None:
        print("no shared development data: the simulated hold-out alone", file=sys.stderr)
        return found
    found["relion_jobs"] = list(relion_jobs(data))
    real = list(class_averages(data))
    for of in real:
        found[of.group] = [of]
    found["all real sets"] = real
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One model's figures by set, and what it costs."""

    name: str
    parameters: int
    images_per_second: float  # of processor time, from averages to scores
    rows: dict[str, dict[str, float]]


def report(name: str, scorer: Scorer, everything: dict[str, list[LabelledJob]], parameters: int) -> Report:
    """One model's rows, printed."""
    started, classes = time.process_time(), 0
    rows = {}
    whole = {id(of): s for of, s in zip(*_all(everything, scorer), strict=True)}
    classes = sum(len(s.score) for s in whole.values())
    seconds = time.process_time() - started
    for group, jobs in everything.items():
        rows[group] = row([whole[id(of)] for of in jobs])
    print(f"\n### {name}: {parameters:,} parameters, {classes / seconds:.0f} images per CPU second\n")
    print(f"| set | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}")
    for group, figures in rows.items():
        cells = " | ".join("" if np.isnan(figures[c]) else f"{figures[c]:.3f}" for c in COLUMNS)
        print(f"| {group} | {cells} |", flush=True)
    return Report(name=name, parameters=parameters, images_per_second=classes / seconds, rows=rows)


def _all(everything: dict[str, list[LabelledJob]], scorer: Scorer) -> tuple[list[LabelledJob], list[Seen]]:
    jobs = list({id(of): of for group in everything.values() for of in group}.values())
    return jobs, look(jobs, scorer)
