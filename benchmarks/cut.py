"""What lowering the cut where good classes are few costs and saves, on simulated jobs: `make bench-cut`."""

from __future__ import annotations

import numpy as np

from benchmarks.judging.figures import TEST_SEED
from benchmarks.judging.sets import simulated_jobs
from cryofed.scoring.scorer import score_job
from cryofed.selection.policy import Policy, job_cut

JOBS = 100
POLICIES = {
    "never": Policy(risk=1.0),
    "until the risk is 20 %": Policy(risk=0.2),
    "until it is 10 %": Policy(risk=0.1),
    "until it is 5 % (default)": Policy(),
    "until it is 1 %": Policy(risk=0.01),
    "until it is 5 %, down to 0.05": Policy(least_score=0.05),
}


def main() -> None:
    jobs = [(of, score_job(of.job).score) for of in simulated_jobs(JOBS, TEST_SEED)]
    good = [(of.good & of.counted, ~of.good & of.counted) for of, _ in jobs]
    print(
        f"{sum(g.any() for g, _ in good)} simulated jobs with good classes, borderline left out\n\n"
        "| the cut is lowered | good classes kept | junk classes rejected | jobs that lose over 15 % |\n"
        "|---|---:|---:|---:|"
    )
    for name, policy in POLICIES.items():
        kept = [score >= job_cut(score, policy) for _, score in jobs]
        held = np.concatenate([k[g] for k, (g, _) in zip(kept, good, strict=True)])
        rejected = np.concatenate([~k[b] for k, (_, b) in zip(kept, good, strict=True)])
        losing = sum(k[g].mean() < 0.85 for k, (g, _) in zip(kept, good, strict=True) if g.any())
        print(f"| {name} | {held.mean():.3f} | {rejected.mean():.3f} | {losing} |")
