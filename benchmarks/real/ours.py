"""CryoFed's own model under the protocol: trained once for each molecule left out, judged on that molecule.

Every training begins at the weights that the release of 2026-11-26 shipped, which saw simulation alone, and
goes on with a mixture of simulated averages, RELION's own classifications of simulated particles, real
averages of the other molecules, bad ones made of the good ones among these, and RELION's classifications of
nothing but junk. What has been trained is kept, and a run that was stopped goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.judging.sets import LabelledJob, relion_jobs
from benchmarks.real.folds import FOLDS, HALVES, Fold, fold_of, fold_of_structures
from benchmarks.real.recipe import SETTINGS, mixture, of_job, structures_of
from benchmarks.real.sets import RealSet
from benchmarks.real.table import Answer
from cryofed.jobs.job import ClassJob
from cryofed.learning.calibrate import (
    Answered,
    answers,
    fit_calibration,
    looks_of,
    pooled_over_views,
    with_jobs,
)
from cryofed.learning.learner import network
from cryofed.learning.metrics import auc
from cryofed.learning.mixture import Mixture
from cryofed.learning.release import train_release
from cryofed.learning.vector import Vector
from cryofed.scoring.calibration import Calibration, sigmoid
from cryofed.scoring.in_job import Judged
from cryofed.scoring.looks import Looks
from cryofed.scoring.reasons import REASONS
from cryofed.scoring.scorer import Scores, scorable
from cryofed.scoring.sharpness import WEIGHT, beside_job
from cryofed.selection.policy import Policy, decide

SEEDS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Bench:
    """What the trainings read, and where they keep what they gave."""

    sets: Sequence[RealSet]
    data: Path  # the development data, with relion_training and relion_jobs
    begin: Vector
    kept: Path

    def mixture(self, fold: Fold, *, real: bool = True) -> Mixture:
        """Everything but what the fold leaves out; `real`: with real averages at all."""
        return mixture(self.sets, self.data, self.kept, fold, real=real)

    def vector(self, fold: str, seed: int, say: Callable[[int, float], None] | None = None) -> Vector:
        """The weights of one training, from the kept file where there is one."""
        path = self.kept / f"{fold}-{seed}.npy"
        if path.is_file():
            return np.asarray(np.load(path), np.float32)
        known = fold != "start"
        left_out = {**FOLDS, **HALVES}[fold] if known else Fold(molecules=())
        learnt_from = self.mixture(left_out, real=known)
        settings = replace(SETTINGS, seed=seed)
        vector = train_release(learnt_from, settings, path.with_suffix(".checkpoint"), say, self.begin)
        np.save(path, vector)
        return vector

    def soup(self, fold: str, seeds: Sequence[int] = SEEDS) -> Vector:
        """The mean of the weights of some seeds."""
        return np.mean([self.vector(fold, seed) for seed in seeds], axis=0, dtype=np.float64).astype("f4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a model that never saw its molecule says of one job."""

    kind: str  # "real" or "relion"
    name: str
    fold: str  # of the training that judges it
    kin: str  # the fold whose jobs may not calibrate it
    job: ClassJob
    good: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    particles: NDArray[np.float64]  # 1 where unknown
    logits: NDArray[np.float64]  # NaN where a class cannot be scored
    looks: Looks  # NaN as above

    @property
    def answered(self) -> Answered:
        """The counted classes alone."""
        which = self.counted & np.isfinite(self.logits)
        return Answered(self.logits[which], self.sharper[which], self.good[which])

    @property
    def sharper(self) -> NDArray[np.float64]:
        """`(n,)` than the job's median; NaN where a class cannot be scored."""
        return sharper(self.looks.sharp)


def real_left_out(bench: Bench, seeds: Sequence[int], folds: Mapping[str, Fold] = FOLDS) -> list[Told]:
    """Every real set by the mean model of the seeds of its fold."""
    models = cache(lambda fold: bench.soup(fold, seeds))
    found = []
    for one in bench.sets:
        fold = fold_of(one.molecule, folds)
        logits, looked = seen_of(models(fold), one.job)
        found.append(
            Told(
                kind="real", name=one.name, fold=fold, kin=fold_of(one.molecule), job=one.job, good=one.good,
                counted=one.counted, particles=np.ones(len(one)), logits=logits, looks=looked,
            )
        )  # fmt: skip
    return found


def left_out(bench: Bench, seeds: Sequence[int] = SEEDS) -> list[Told]:
    """Every real set and every judging RELION job, each by the mean model of the seeds of its fold."""
    models = cache(lambda fold: bench.soup(fold, seeds))
    found = real_left_out(bench, seeds)
    for structures, job in judged_relion(bench.data):
        fold = fold_of_structures(structures)
        logits, looked = seen_of(models(fold), job.job)
        found.append(
            Told(
                kind="relion", name=job.job.path.name, fold=fold, kin=fold, job=job.job, good=job.good,
                counted=job.counted, particles=job.particles, logits=logits, looks=looked,
            )
        )  # fmt: skip
    return found


def write_for_clicks(bench: Bench, told: Sequence[Told], seeds: Sequence[int], folder: Path) -> None:
    """`oof_NAME.npz` of every real set for `benchmarks clicks`: pooled numbers, score, label."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in told:
        usable = np.isfinite(one.logits)
        if one.kind == "real" and usable.any():
            job = of_job(one.job, usable, usable)
            model = network(bench.soup(one.fold, seeds)).eval()
            np.savez(
                folder / f"oof_{one.name}.npz",
                features=pooled_over_views(model, job),
                score=judged_by(one, calibration_of(told, one)).good[usable],
                label=np.where(one.counted, one.good, -1)[usable],
            )


def logits_of(vector: Vector, job: ClassJob) -> NDArray[np.float64]:
    """`(n,)` logits over the scorer's views as they are seen in the job; NaN where none can be."""
    logits, looked = seen_of(vector, job)
    return logits + WEIGHT * sharper(looked.sharp)


def sharper(sharp: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(n,)` sharpness of a job's classes to how much sharper each is than their median; NaN stays."""
    known = np.isfinite(sharp)
    found = np.full(len(sharp), np.nan)
    if known.any():
        found[known] = beside_job(sharp[known])
    return found


def seen_of(vector: Vector, job: ClassJob) -> tuple[NDArray[np.float64], Looks]:
    """`(n,)` logits, and looks; NaN where a class cannot be scored."""
    usable = scorable(job)
    logits, sharp, flat = np.full((3, len(usable)), np.nan)
    if usable.any():
        labelled = of_job(job, usable, usable)
        (answered,) = answers(vector, labelled)
        found = looks_of(labelled)
        logits[usable], sharp[usable], flat[usable] = answered.logits, found.sharp, found.flat
    return logits, Looks(sharp, flat)


def calibration(told: Sequence[Told], without: str = "") -> Calibration:
    """Slope and offset over left-out real sets and RELION jobs, and how the real ones differ.

    Those of one fold are left out.

    A set is judged with the numbers that the other molecules gave; the release takes all. "all" is not left
    out as one: its sets are of unlike molecules, and each is fitted without itself.
    """
    others = [one for one in told if without not in (one.kin, one.name) and len(one.answered.good)]
    fitted = fit_calibration([one.answered for one in others])
    return with_jobs(fitted, [one.answered for one in others if one.kind == "real"])


def answers_of(told: Sequence[Told], policy: Policy | None = None) -> dict[str, Answer]:
    """Scores and decisions of the product's default policy, by set."""
    return {one.name: decided(one, calibration_of(told, one), policy) for one in told}


def by_themselves(told: Sequence[Told]) -> dict[str, Answer]:
    """The same with each logit by itself, whatever its job: what it is worth to judge a job as a whole."""
    answers = {}
    for one in told:
        fitted = calibration_of(told, one)
        score = sigmoid(fitted.slope * (one.logits + fitted.sharpness * one.sharper) + fitted.offset)
        answers[one.name] = Answer(score=score, kept=score >= Policy().threshold)
    return answers


def calibration_of(told: Sequence[Told], one: Told) -> Calibration:
    """The calibration that judges a set: fitted without it and without its fold."""
    return calibration(told, one.name if one.kin == "all" else one.kin)


def judged_by(one: Told, fitted: Calibration) -> Judged:
    """Scores of one job with this calibration, NaN where a class cannot be scored, and the job's doubt."""
    known = np.isfinite(one.logits)
    score = np.full(len(known), np.nan)
    judged = fitted.judged(one.logits[known], Looks(one.looks.sharp[known], one.looks.flat[known]))
    score[known] = judged.good
    return Judged(score, judged.doubt)


def decided(one: Told, fitted: Calibration, policy: Policy | None = None) -> Answer:
    """What the product says of one job with this calibration."""
    score = judged_by(one, fitted).good
    scores = Scores(
        score=score,
        reasons=np.full((len(score), len(REASONS)), np.nan),
        unsure=np.zeros(len(score), bool),
    )
    selection = decide(one.job, scores, policy)
    return Answer(score=selection.score, kept=selection.kept)


def relion_line(told: Sequence[Told], answers: Mapping[str, Answer]) -> str:
    """RELION's jobs on one scale: AUC over classes; kept and rejected by particles, and the worst job."""
    jobs = [one for one in told if one.kind == "relion"]
    good, score, kept, particles = (
        np.concatenate([part(one)[one.counted] for one in jobs])
        for part in (
            lambda one: one.good,
            lambda one: answers[one.name].score,
            lambda one: np.asarray(answers[one.name].kept),
            lambda one: one.particles,
        )
    )
    scored = np.isfinite(score)
    shares = {
        one.name: float(np.mean(np.asarray(answers[one.name].kept)[one.good & one.counted]))
        for one in jobs
        if (one.good & one.counted).any()
    }
    least = min(shares, key=shares.__getitem__)
    return (
        f"{len(jobs)} RELION jobs: AUC {auc(score[scored], good[scored]):.3f}; particles of good classes "
        "kept "
        f"{particles[good & kept].sum() / particles[good].sum():.1%}; of bad classes rejected "
        f"{particles[~good & ~kept].sum() / particles[~good].sum():.1%}; least share of a job's good classes "
        f"kept {shares[least]:.0%} ({least})"
    )


def judged_relion(data: Path) -> Iterator[tuple[tuple[str, ...], LabelledJob]]:
    """The judging RELION jobs and the structures in them."""
    for job in relion_jobs(data):
        yield structures_of(job.job.path), job
