"""What a score means in its job: all classes of a job are judged together. NumPy only.

A network errs by whole jobs: a molecule of an unknown kind, or another program's filter, moves all its
logits alike. So the logits of good classes and of bad ones are two normal populations of one spread, and a
job moves both by a distance of its own. Distance and share of good classes are unknown; each class gets the
probability of being good, averaged over all of both that the job's logits allow (empirical Bayes, Robbins
1956; a share that is estimated: Saerens 2002). The four numbers of `Jobs` come from jobs whose molecule the
network never saw (`cryofed.learning.calibrate`). Where the job's pictures are clear, more of them are good.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

JUNK, ALL_GOOD = 0.2, 0.01  # of all jobs: nothing but junk, and not a bad class
BAD = 2.0  # between them a share of good classes is as likely as the share of bad ones to this power
COUNTED = 8  # classes of a job that its distance and share are taken from, at most: they resemble each other
CLEAR = (3.3, 4.8)  # `Looks.clear` of jobs of junk alone, and of good classes alone
CLEAR_SPREAD = 0.8  # between jobs of one kind
LIMIT = 7.0  # a logit counts to here, and hardly beyond: no network is surer of a molecule that is new
BEYOND = 0.1
LIKELY, FEW = 0.4, 0.34  # a class looks good from here, the default cut; a third of a job or less are few
CONVINCES = 2.0  # a logit that one of the few must reach by itself: bad classes stray beyond a normal curve
HELD, STRAYS = 0.35, 0.05  # where none does, a twentieth of what lies above counts
LOWEST = -6.5  # a class below tells no more of its job: junk comes in all degrees
_FAR = np.linspace(-4, 4, 49)  # distances tried, in deviations
_MIXED = np.linspace(0.02, 0.98, 25)
_SHARES = np.concatenate([[0.0], _MIXED, [1.0]])
_BEFORE = np.concatenate(
    [[JUNK], (1 - JUNK - ALL_GOOD) * (1 - _MIXED) ** BAD / ((1 - _MIXED) ** BAD).sum(), [ALL_GOOD]]
)


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


@dataclass(frozen=True, slots=True)
class Judged:
    """What is said of one job's n classes.

    `good` `(n,)` are the probabilities that an expert keeps each. `doubt`, from 0 to 0.5, is the deviation of
    the share of good classes over all that the logits allow: a small one where good and bad lie apart, a
    large one where all lie halfway, so that the whole job may be the one or the other.
    """

    good: Numbers
    doubt: float


def in_job(logits: Numbers, jobs: Jobs, clear: float | None = None) -> Judged:
    """Judge the classes of one job by their `(n,)` calibrated logits.

    The order stays. A class alone in its job is judged by its own logit. `clear` is how clear the
    job's pictures are (`Looks.clear`), None where nobody knows. Only above the middle of the two kinds does
    it tell them apart: few particles make good classes as unclear as junk. Where few classes look good, one
    of them must look good by itself too (`CONVINCES`).
    """
    if not len(logits):
        return Judged(np.zeros(0), 0.0)
    odds, _ = _at_distances(limited(logits), jobs)
    told, bad = _at_distances(_telling(logits), jobs)
    counted = min(1.0, COUNTED / len(logits))
    evidence = np.stack([(np.log(1 - share + share * told) + bad).sum(axis=0) for share in _SHARES])
    before = np.log(_BEFORE) + (0.0 if clear is None else _of_clear(clear))
    weight = counted * evidence - _FAR**2 / 2 + before[:, None]
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    good, square = np.zeros(len(logits)), 0.0
    for share, chance in zip(_SHARES, weight, strict=True):
        each = share * odds / (1 - share + share * odds)
        good += each @ chance
        square += float(np.square(each.mean(axis=0)) @ chance)
    doubt = max(square - float(good.mean()) ** 2, 0.0) ** 0.5
    return Judged(_convincing(np.clip(good, 0.0, 1.0), logits), doubt)


def _convincing(good: Numbers, logits: Numbers) -> Numbers:
    """Probabilities as they are, but none reaches `LIKELY` where few do and none convinces; the order stays.

    Of much junk the best, a bead or a blob, looks good beside the rest, and by itself only halfway.
    """
    if np.mean(good >= LIKELY) >= FEW or logits.max() >= CONVINCES:
        return good
    result: Numbers = np.minimum(good, HELD + STRAYS * (good - HELD))
    return result


def _of_clear(clear: float) -> Numbers:
    """`(27,)` log likelihoods of how clear a job is at every share of good classes."""
    junk, good = CLEAR
    seen = max(clear, (junk + good) / 2)
    return -(((seen - junk - (good - junk) * _SHARES) / CLEAR_SPREAD) ** 2) / 2


def log_likelihood(logits: Numbers, good: NDArray[np.bool_], jobs: Jobs) -> float:
    """Of one job's labelled classes, its distance unknown; a job counts as at most `COUNTED` classes."""
    odds, bad = _at_distances(_telling(logits), jobs)
    each = bad + np.where(good[:, None], np.log(odds), 0.0) - np.log(jobs.spread)
    total = each.sum(axis=0) * min(1.0, COUNTED / len(logits)) - _FAR**2 / 2
    highest = float(total.max())
    return highest + float(np.log(np.exp(total - highest).sum()))


def limited(logits: Numbers) -> Numbers:
    """Logits of which only a tenth of the logarithm counts beyond `LIMIT`; their order stays."""
    inside = np.clip(logits, -LIMIT, LIMIT)
    result: Numbers = inside + BEYOND * np.sign(logits) * np.log1p(np.abs(logits - inside))
    return result


def _telling(logits: Numbers) -> Numbers:
    """Logits as they tell of the job: very bad ones would pull it down, and the least bad would seem good."""
    return np.maximum(limited(logits), LOWEST)


def _at_distances(logits: Numbers, jobs: Jobs) -> tuple[Numbers, Numbers]:
    """`(n, 49)` likelihood ratios of good over bad, and log likelihoods of bad, at every distance."""
    here = logits[:, None] - jobs.between * _FAR[None, :]
    bad = (here - jobs.bad) / jobs.spread
    good = (here - jobs.good) / jobs.spread
    return np.exp(np.clip((bad**2 - good**2) / 2, -500, 500)), -(bad**2) / 2
