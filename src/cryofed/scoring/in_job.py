"""What a score means in its job: all classes of a job are judged together. NumPy only.

A network errs by whole jobs: a molecule of an unknown kind, or another program's filter, moves all its
logits alike. So the logits of good classes and of bad ones are two normal populations of one spread, and a
job moves both by a distance of its own. Distance and share of good classes are unknown; each class gets the
probability of being good, averaged over all of both that the job's logits allow (empirical Bayes, Robbins
1956; a share that is estimated: Saerens 2002). The four numbers of `Jobs` come from jobs whose molecule the
network never saw (`cryofed.learning.calibrate`). Where the job's pictures are sharp, more of them are good.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

ONE_KIND = 0.1  # of all jobs: nothing but junk; as many: all good. Between them every share is as likely
COUNTED = 8  # classes of a job that its distance and share are taken from, at most: they resemble each other
SHARP = (0.7, 2.0)  # median sharpness of jobs of junk alone, and of good classes alone
SHARP_SPREAD = 0.8  # of such medians between jobs of one kind
LIMIT = 7.0  # a logit counts to here, and hardly beyond: no network is surer of a molecule that is new
BEYOND = 0.1
_FAR = np.linspace(-4, 4, 49)  # distances tried, in deviations
_SHARES = np.concatenate([[0.0], np.linspace(0.02, 0.98, 25), [1.0]])
_BEFORE = np.concatenate([[ONE_KIND], np.full(25, (1 - 2 * ONE_KIND) / 25), [ONE_KIND]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """How logits lie in jobs whose molecule is new: means of bad and good classes, and two deviations.

    `spread` is that of a kind of classes within a job, `between` that of the distances of jobs.
    """

    bad: float = -4.0
    good: float = 4.2
    spread: float = 2.0
    between: float = 1.4

    def __post_init__(self) -> None:
        fine = np.isfinite([self.bad, self.good, self.spread, self.between]).all()
        if not (fine and self.good > self.bad and self.spread > 0 and self.between >= 0):
            raise ValueError(f"jobs: found {self}; good lies above bad, and deviations are above 0")


USUAL = Jobs()


def in_job(logits: Numbers, jobs: Jobs, sharp: float | None = None) -> Numbers:
    """`(n,)` calibrated logits of one job to `(n,)` probabilities that an expert keeps the class.

    The order stays. A class alone in its job is judged by its own logit. `sharp` is the median of the job's
    `sharpness`, None where nobody knows it. Only where it is above the middle of the two kinds does it
    tell them apart: few particles make good classes as blurred as junk.
    """
    if not len(logits):
        return np.zeros(0)
    log_odds, log_bad = _at_distances(limited(logits), jobs)
    log_bad = log_bad.sum(axis=0)
    counted = min(1.0, COUNTED / len(logits))
    odds = np.exp(np.clip(log_odds, -500, 500))
    evidence = np.stack([np.log(1 - share + share * odds).sum(axis=0) + log_bad for share in _SHARES])
    before = np.log(_BEFORE) + (0.0 if sharp is None else _of_sharp(sharp))
    weight = counted * evidence - _FAR**2 / 2 + before[:, None]
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    good = np.zeros(len(logits))
    for share, chance in zip(_SHARES, weight, strict=True):
        good += (share * odds / (1 - share + share * odds)) @ chance
    return np.clip(good, 0.0, 1.0)


def _of_sharp(sharp: float) -> Numbers:
    """`(27,)` log likelihoods of a job's median sharpness at every share of good classes."""
    junk, good = SHARP
    median = max(sharp, (junk + good) / 2)
    return -(((median - junk - (good - junk) * _SHARES) / SHARP_SPREAD) ** 2) / 2


def log_likelihood(logits: Numbers, good: NDArray[np.bool_], jobs: Jobs) -> float:
    """Of one job's labelled classes, its distance unknown; a job counts as at most `COUNTED` classes."""
    log_odds, log_bad = _at_distances(limited(logits), jobs)
    each = log_bad + np.where(good[:, None], log_odds, 0.0) - np.log(jobs.spread)
    total = each.sum(axis=0) * min(1.0, COUNTED / len(logits)) - _FAR**2 / 2
    highest = float(total.max())
    return highest + float(np.log(np.exp(total - highest).sum()))


def limited(logits: Numbers) -> Numbers:
    """Logits of which only a tenth of the logarithm counts beyond `LIMIT`; their order stays."""
    inside = np.clip(logits, -LIMIT, LIMIT)
    result: Numbers = inside + BEYOND * np.sign(logits) * np.log1p(np.abs(logits - inside))
    return result


def _at_distances(logits: Numbers, jobs: Jobs) -> tuple[Numbers, Numbers]:
    """`(n, 49)` log likelihood ratios of good over bad, and log likelihoods of bad, at every distance."""
    here = logits[:, None] - jobs.between * _FAR[None, :]
    bad = (here - jobs.bad) / jobs.spread
    good = (here - jobs.good) / jobs.spread
    return (bad**2 - good**2) / 2, -(bad**2) / 2
