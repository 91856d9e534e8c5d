"""How well classes are selected: our model and its peers on simulated, RELION's and real averages.

`make bench-selection` prints every figure of docs/model.md and writes the tables of its peers. The first run
simulates and trains the peers (about twenty minutes of processor time; kept under build/, or in
`CRYOFED_BENCH_CACHE`; a run that was stopped goes on). `CRYOFED_PEER_JOBS` and `CRYOFED_PEER_STEPS` make the
corpus larger and the training longer; `CRYOFED_PEER_JOBS=0` measures the shipped model alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._sets import LabelledJob, class_averages, relion_jobs, shared_data, simulated_jobs
from cryofed.jobs.job import ClassJob
from cryofed.learning.metrics import auc, brier, calibration_error
from cryofed.scoring.scorer import SHIPPED, Scores, score_job
from cryofed.selection.policy import Policy, job_cut

ROOT = Path(__file__).parent.parent
TEST_JOBS, TEST_SEED = 40, 103  # molecules that neither training nor calibration saw
PEER_JOBS = int(os.environ.get("CRYOFED_PEER_JOBS", "700"))  # of which 12 % only validate
PEER_STEPS = int(os.environ.get("CRYOFED_PEER_STEPS", "600"))  # at the full rate; a third more while it falls
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


def robustness(jobs: list[LabelledJob]) -> None:
    """Mean and 95th percentile of how far scores move with the typed mask diameter and pixel size."""
    from dataclasses import replace

    print("\n### Score change when the user types another number (RELION jobs, all scored classes)\n")
    print("| typed | mean | 95th percentile | largest |\n|---|---:|---:|---:|")
    for field, factor in (
        ("mask_diameter_angstrom", 0.8), ("mask_diameter_angstrom", 1.25),
        ("pixel_size_angstrom", 0.8), ("pixel_size_angstrom", 1.25),
    ):  # fmt: skip
        moved = []
        for of in jobs:
            changed = replace(of.job, **{field: getattr(of.job, field) * factor})
            moved.append(np.abs(score_job(changed).score - score_job(of.job).score))
        m = np.concatenate(moved)
        m = m[np.isfinite(m)]
        print(f"| {field} × {factor} | {m.mean():.3f} | {np.quantile(m, 0.95):.3f} | {m.max():.3f} |")


def risk_coverage(jobs: list[LabelledJob], path: Path) -> None:
    """Plot the share of wrong decisions against the share of classes decided, the surest first."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    scores: list[Scores] = [score_job(of.job) for of in jobs]
    p = np.concatenate([s.score[of.counted] for s, of in zip(scores, jobs, strict=True)])
    unsure = np.concatenate([s.unsure[of.counted] for s, of in zip(scores, jobs, strict=True)])
    good = np.concatenate([of.good[of.counted] for of in jobs])
    order = np.argsort(-np.abs(p - 0.5), kind="stable")
    wrong = ((p >= 0.5) != good)[order]
    covered = np.arange(1, len(p) + 1) / len(p)
    risk = np.cumsum(wrong) / np.arange(1, len(p) + 1)
    axes.plot(covered, risk, color="#1f5f8b")
    sure = 1 - unsure.mean()
    axes.axvline(sure, color="0.6", linestyle="--", label=f"not unsure: {sure:.0%} of the classes")
    axes.set(
        xlabel="share of classes decided, the surest first", ylabel="share decided wrongly", ylim=(0, None)
    )
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    print(f"\nunsure: {unsure.mean():.1%}; wrong among sure {risk[max(0, int(sure * len(p)) - 1)]:.1%}, "
          f"among all {risk[-1]:.1%}; curve in {path.name}")  # fmt: skip


def main() -> None:
    everything = sets()
    card = json.loads(SHIPPED.with_name("card.json").read_text())
    shipped = report("CryoFed, shipped", lambda job: score_job(job).score, everything, card["parameters"])
    if "relion_jobs" in everything:
        robustness(everything["relion_jobs"])
    risk_coverage(everything["simulated hold-out"], ROOT / "docs" / "risk-coverage.png")
    if PEER_JOBS:
        from benchmarks._peer_tables import compare

        compare(everything, shipped, PEER_JOBS, PEER_STEPS)


if __name__ == "__main__":
    main()
