"""What a few decisions of a person teach, on real averages: `make bench-clicks`.

Each set is judged by a model that never saw its molecule: what `python -m benchmarks real ours` leaves in the
folder where it keeps its trainings, or in the one that `CRYOFED_KEPT` names.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.real.running.material import KEPT
from cryofed.scoring.clicks import CARRIED_LEVEL, fit, learn, propose, relative
from cryofed.selection.policy import Policy
from cryofed.selection.taught import FARTHEST

DRAWS = 30
SEED = 1  # of the trainings
RANDOM = (1, 3)
PROPOSED = (2, 4, 6, 10)
FEWEST_LEFT = 5  # classes; shares of fewer say nothing
# Jobs of one sample: what an expert selected in one is carried to each of the others.
SAME_SAMPLE = (
    ("bgal17_a50", "bgal17_b50", "bgal17_c50"),
    ("trpv1_a50", "trpv1_b50", "trpv1_c50"),
    ("relion_bgal_job009", "relion_bgal_job023"),
    ("pom152_T1_negstain_19classes", "pom152_T2_negstain_24classes", "pom152_WT_negstain_35classes"),
)

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One real set: relative features `(n, k)`, prior logits `(n,)` from the job's cut, and who is good."""

    name: str
    features: Numbers
    prior: Numbers
    good: NDArray[np.bool_]


def main() -> None:
    jobs = list(_left_out(Path(os.environ.get("CRYOFED_KEPT", KEPT))))
    if not jobs:
        sys.exit("the sets of real averages are not here")
    ways = ["none", *(f"{k}+{k} random" for k in RANDOM), *(f"{k} proposed" for k in PROPOSED), "3 mistakes"]
    print("| set | n | " + " | ".join(ways) + " |\n|---|---:|" + "---:|" * len(ways))
    rows = [_row(job) for job in jobs]
    for job, row in zip(jobs, rows, strict=True):
        cells = [f"{_auc(r)} {_right(r)}" if r is not None else "" for r in row]
        print(f"| {job.name} | {len(job.good)} | " + " | ".join(cells) + " |")
    for name, take in (("mean", np.nanmean), ("worst", np.nanmin)):
        columns = [np.array([r[:2] for r in column if r is not None]) for column in zip(*rows, strict=True)]
        print(
            f"| **{name}** | | "
            + " | ".join(f"{take(c[:, 0]):.3f} {take(c[:, 1]):.2f}" for c in columns)
            + " |"
        )
    print("\nAUC and share on the right side of the cut, both of the classes not decided.\n")
    _against_without(ways, rows)
    _carried({job.name: job for job in jobs})
    _speed()


def _row(job: Job) -> list[Numbers | None]:
    """Per way: AUC, share on the right side, and the same without learning on the same classes; or None."""
    rng = np.random.default_rng(0)
    row = [_judged(job, job.prior, [])]
    good, bad = np.flatnonzero(job.good), np.flatnonzero(~job.good)
    for k in RANDOM:
        if min(len(good), len(bad)) <= k:
            row.append(None)
            continue
        draws = [
            np.concatenate([rng.choice(good, k, False), rng.choice(bad, k, False)]) for _ in range(DRAWS)
        ]
        row.append(np.nanmean([_after(job, draw.tolist()) for draw in draws], axis=0))
    row += [_after(job, _asked(job, k)) if len(job.good) >= k + FEWEST_LEFT else None for k in PROPOSED]
    wrong = np.flatnonzero((job.prior > 0) != job.good)
    if len(wrong) >= 3 and len(job.good) >= 3 + FEWEST_LEFT:
        draws = [rng.choice(wrong, 3, False) for _ in range(DRAWS)]
        row.append(np.nanmean([_after(job, draw.tolist()) for draw in draws], axis=0))
    else:
        row.append(None)
    return row


def _asked(job: Job, k: int) -> list[int]:
    decided: dict[int, bool] = {}
    for _ in range(k):
        logits = learn(job.features, job.prior, decided)
        asked = propose(job.features, job.prior, logits, decided)
        if asked is None:
            break
        decided[asked] = bool(job.good[asked])
    return list(decided)


def _after(job: Job, decided: list[int]) -> Numbers:
    logits = learn(job.features, job.prior, {i: bool(job.good[i]) for i in decided})
    return _judged(job, logits, decided)


def _judged(job: Job, logits: Numbers, decided: list[int]) -> Numbers:
    rest = np.setdiff1d(np.arange(len(job.good)), decided)
    good = job.good[rest]
    return np.array(
        [auc(logits[rest], good), ((logits[rest] > 0) == good).mean(),
         auc(job.prior[rest], good), ((job.prior[rest] > 0) == good).mean()]
    )  # fmt: skip


def auc(score: Numbers, good: NDArray[np.bool_]) -> float:
    """Probability that a good class scores above a bad one; NaN where one kind is missing."""
    if good.all() or not good.any():
        return float("nan")
    high, low = score[good][:, None], score[~good][None]
    return float((high > low).mean() + 0.5 * (high == low).mean())


def _against_without(ways: list[str], rows: list[list[Numbers | None]]) -> None:
    print(
        "| against no learning, on the same classes | AUC, mean | worst change | right, mean | worst change |"
    )
    print("|---|---:|---:|---:|---:|")
    for way, column in zip(ways[1:], list(zip(*rows, strict=True))[1:], strict=True):
        c = np.array([r for r in column if r is not None])
        if not len(c):
            continue
        print(
            f"| {way} | {np.nanmean(c[:, 2]):.3f} → {np.nanmean(c[:, 0]):.3f} "
            f"| {np.nanmin(c[:, 0] - c[:, 2]):+.3f} "
            f"| {c[:, 3].mean():.3f} → {c[:, 1].mean():.3f} | {(c[:, 1] - c[:, 3]).min():+.3f} |"
        )


def _carried(jobs: dict[str, Job]) -> None:
    pairs = [p for group in SAME_SAMPLE for p in permutations(group, 2) if set(p) <= set(jobs)]
    home = {name: k for k, group in enumerate(SAME_SAMPLE) for name in group}
    others = [
        (a, b) for a, b in permutations(jobs, 2)
        if home.get(a, a) != home.get(b, b) and 0 < jobs[a].good.mean() < 1 and len(jobs[b].good) >= 20
    ]  # fmt: skip
    print("\n| a whole selection, carried to another job | pairs | AUC | right | worst change of right |")
    print("|---|---:|---:|---:|---:|")
    for name, chosen in (("of the same sample", pairs), ("of another sample", others)):
        if not chosen:
            continue
        c = np.array([_carry(jobs[a], jobs[b]) for a, b in chosen])
        print(
            f"| {name} | {len(c)} | {np.nanmean(c[:, 2]):.3f} → {np.nanmean(c[:, 0]):.3f} "
            f"| {c[:, 3].mean():.3f} → {c[:, 1].mean():.3f} | {(c[:, 1] - c[:, 3]).min():+.2f} |"
        )


def _carry(a: Job, b: Job) -> Numbers:
    lesson = fit(a.features, a.prior, dict(enumerate(a.good.tolist())), level=CARRIED_LEVEL)
    return _judged(b, lesson.carried(b.features, b.prior), [])


def _speed() -> None:
    rng = np.random.default_rng(0)
    features, prior = relative(rng.normal(size=(500, 400))), rng.normal(size=500) * 3
    print("\n| 500 classes, 400 features | learn and propose, median of 9 |\n|---|---:|")
    for k in (1, 6, 50, 250, 450):
        decided = {int(i): bool(prior[i] + rng.normal() > 0) for i in rng.choice(500, k, False)}
        taken = []
        for _ in range(9):
            begun = time.perf_counter()
            propose(features, prior, learn(features, prior, decided), decided)
            taken.append(time.perf_counter() - begun)
        print(f"| {k} decided | {1000 * np.median(taken):.1f} ms |")


def _auc(r: Numbers) -> str:
    return f"{r[0]:.3f}" if np.isfinite(r[0]) else "–"


def _right(r: Numbers) -> str:
    return f"{r[1]:.2f}"


def _job(name: str, pooled: Numbers, score: Numbers, label: NDArray[np.int64]) -> Job:
    """Features are relative to all classes of the job; those without a label then leave."""
    cut = Policy().threshold
    inside = np.clip(score, FARTHEST, 1 - FARTHEST)
    said = label >= 0
    return Job(
        name=name,
        features=relative(pooled)[said],
        prior=(np.log(inside / (1 - inside)) - np.log(cut / (1 - cut)))[said],
        good=label[said] == 1,
    )


def _left_out(kept: Path) -> Iterator[Job]:
    """Every real set as `python -m benchmarks real ours` left it: by a model that never saw its molecule."""
    for path in sorted((kept / "clicks").glob("oof_*.npz")):
        with np.load(path) as arrays:
            yield _job(path.stem.removeprefix("oof_"), arrays["features"], arrays["score"], arrays["label"])
