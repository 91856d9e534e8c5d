"""How well classes are selected: our model and its peers on simulated, RELION's and real averages.

`make bench-selection` prints every figure of docs/model.md and writes the tables of its peers. The first run
simulates and trains the peers (about twenty minutes of processor time; kept under build/, or in
`CRYOFED_BENCH_CACHE`; a run that was stopped goes on). `CRYOFED_PEER_JOBS` and `CRYOFED_PEER_STEPS` make the
corpus larger and the training longer; `CRYOFED_PEER_JOBS=0` measures the shipped model alone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from benchmarks.judging.figures import report, sets
from benchmarks.judging.sets import LabelledJob
from benchmarks.peers.corpus import PEER_JOBS
from cryofed.scoring.scorer import SHIPPED, Scores, score_job

ROOT = Path(__file__).parent.parent
PEER_STEPS = int(os.environ.get("CRYOFED_PEER_STEPS", "600"))  # at the full rate; a third more while it falls


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
        from benchmarks.peers.tables import compare

        compare(everything, shipped, PEER_JOBS, PEER_STEPS)


if __name__ == "__main__":
    main()
