"""Keep or reject: a calibrated probability, a cut that fits the job, and a limit on what may be lost."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import CryoFedError
from cryofed.jobs.check import FEWEST_PARTICLES
from cryofed.jobs.job import ClassJob
from cryofed.scoring.reasons import REASONS, SURE
from cryofed.selection.views import group_views, views_kept

if TYPE_CHECKING:
    from cryofed.scoring.scorer import Scores

TOO_FEW = "too few particles"
NOT_SCORED = "not scored"
RARE_VIEW = "rare view"  # why a class below the cut is kept all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What to keep.

    The threshold lies below one half because a good class that is lost costs more than a bad one that is
    kept, one and a half times as much: later steps find junk, and nothing finds lost views again
    (1 / (1 + 1.5)). It was chosen on left-out real sets (docs/model.md).
    The cut is `threshold`, moved within `± band` to the widest gap between the job's scores, so that
    classes that are alike are treated alike; then it is lowered, class by class, until the job loses over
    `most_lost` of its good classes with a probability of at most `risk`: in a job with few, each counts.
    That stops at `least_score`. A job whose classes have odds of at most `least_odds` on the mean looks
    like nothing but junk, and the cut lies above its best score. At a `band` of 0 the cut is the threshold
    as typed. A class under
    `min_particles` is not scored. A selection that loses more than the share `max_loss` of the particles
    needs a person's word. With `keep_views` the best class of every view whose best score reaches
    `view_floor` is kept. `name` is what people call the policy (`policies.py` has those that have a name).
    """

    name: str = "balanced"

    threshold: float = 0.4
    band: float = 0.1
    most_lost: float = 0.15
    risk: float = 0.05
    least_score: float = 0.15
    least_odds: float = 1.0
    max_loss: float = 0.6
    min_particles: int = FEWEST_PARTICLES
    keep_views: bool = False
    view_floor: float = 0.2

    def __post_init__(self) -> None:
        for name in ("threshold", "most_lost", "risk", "least_score", "max_loss", "view_floor"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise CryoFedError(f"{name} must be from 0 to 1, got {value:g}")
        if self.most_lost == 1:
            raise CryoFedError("most_lost must be below 1, got 1")
        if self.band < 0:
            raise CryoFedError(f"band must not be negative, got {self.band:g}")
        if self.least_odds < 0:
            raise CryoFedError(f"least_odds must not be negative, got {self.least_odds:g}")
        if self.min_particles < 0:
            raise CryoFedError(f"min_particles must not be negative, got {self.min_particles}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which of n classes are kept, in stack order, and why the others are not.

    `score` is NaN and `scored` False where a class was not scored. `reason` is empty for a class that is
    kept by its score, and for one below the cut of which nothing surer is known. `view` numbers groups of
    averages that show the same view, from 1; 0 is none.
    """

    kept: NDArray[np.bool_]
    score: NDArray[np.float64]
    reason: tuple[str, ...]
    unsure: NDArray[np.bool_]
    view: NDArray[np.int64]
    cut: float
    note: str = ""  # what a person must know before anything else
    policy: str = "balanced"  # the name of the policy that made the cut
    group: NDArray[np.int64] | None = None  # RELION's colour groups 1 to 6 that a person gave, 0 not kept

    def __len__(self) -> int:
        return len(self.kept)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Classes that have a score."""
        return np.isfinite(self.score)

    @property
    def views(self) -> tuple[int, int]:
        """Views that count (`views.counted`) and have a kept class, and views that count in all."""
        return views_kept(self.view, self.kept, self.score)


def decide(job: ClassJob, scores: Scores, policy: Policy | None = None) -> Selection:
    """Apply a policy to the scores of a job."""
    policy = policy or Policy()
    particles = job.classes.particles
    enough = (particles < 0) | (particles >= policy.min_particles)
    score = np.where(enough, np.asarray(scores.score, np.float64), np.nan)
    cut = job_cut(score, policy)
    kept = score >= cut  # NaN is never kept
    reason = [_reason(i, enough, score, scores) for i in range(len(score))]
    view = group_views(job, score)
    if policy.keep_views and kept.any():  # junk has views too
        for i in best_of_lost_views(view, kept, score, policy.view_floor):
            kept[i] = True
            reason[i] = RARE_VIEW
    return Selection(
        kept=kept,
        score=score,
        reason=tuple("" if k and r != RARE_VIEW else r for k, r in zip(kept, reason, strict=True)),
        unsure=np.asarray(scores.unsure, bool) & np.isfinite(score),
        view=view,
        cut=cut,
        note=_note(job, kept, score, policy),
        policy=policy.name,
    )


def job_cut(score: NDArray[np.float64], policy: Policy) -> float:
    """The score from which a job's classes are kept: midway between the scores around it.

    No class then sits on the cut, so that a rounded score cannot change its side. Only a threshold that was
    typed stays as it is.
    """
    if policy.band == 0:
        return policy.threshold
    cut = adaptive_cut(score, policy.threshold, policy.band)
    if only_junk(score, policy.least_odds):
        best = float(np.nanmax(score))
        return cut if best < cut else (1 + best) / 2
    return midway(score, careful_cut(score, cut, policy.most_lost, policy.risk, policy.least_score))


def midway(score: NDArray[np.float64], cut: float) -> float:
    """The middle of the lowest score from `cut` on and the highest below it; `cut` where one is missing."""
    known = score[np.isfinite(score)]
    above, below = known[known >= cut], known[known < cut]
    if not len(above) or not len(below):
        return cut
    lowest, highest = float(above.min()), float(below.max())
    middle = (lowest + highest) / 2
    return middle if middle > highest else lowest  # two neighbours among floats have no middle


def only_junk(score: NDArray[np.float64], least_odds: float) -> bool:
    """Whether a job's scores are those of a job without any good class.

    A score's odds are how much likelier the class is among good ones than among bad ones, if both are as
    frequent. Where their mean over the job is at most 1, the share of good classes that explains the job best
    is 0: a score test at the border of a mixture (the first step of Saerens 2002 from there goes nowhere).
    One sure good class outweighs a hundred bad ones; a few bad ones that score half well do not add up to it.
    """
    known = score[np.isfinite(score)]
    if not len(known):
        return False
    odds = known / np.maximum(1 - known, 1e-9)
    return float(odds.mean()) <= least_odds


def careful_cut(
    score: NDArray[np.float64], cut: float, most_lost: float, risk: float, least_score: float
) -> float:
    """`cut`, lowered class by class until `loss_risk` is at most `risk`, or the next is under `least_score`.

    Where no class reaches the cut there is no good class to lose, and it stays.
    """
    known = np.sort(score[np.isfinite(score)])[::-1]
    first = int((known >= cut).sum())
    if not first:
        return cut
    last = max(first, int((known >= least_score).sum()))
    kept = bisect_left(
        range(last), True, lo=first, key=lambda n: loss_risk(known[:n], known[n:], most_lost) <= risk
    )
    return cut if kept == first else float(known[kept - 1])


def loss_risk(kept: NDArray[np.float64], rejected: NDArray[np.float64], most_lost: float) -> float:
    """Probability that over the share `most_lost` of a job's good classes are among the `rejected`.

    A score is the probability that a class is good. The number of good classes among the rejected is a sum
    of independent trials (the Poisson binomial distribution), set against the number to expect in `kept`.
    """
    allowed = int(most_lost / (1 - most_lost) * float(kept.sum()))
    chance = np.zeros(allowed + 1)  # that 0, 1, ... of the rejected so far are good
    chance[0] = 1
    for p in rejected:
        chance[1:] = chance[1:] * (1 - p) + chance[:-1] * p
        chance[0] *= 1 - p
    return 1 - float(chance.sum())


def adaptive_cut(score: NDArray[np.float64], threshold: float, band: float) -> float:
    """The middle of the widest gap between scores within `threshold ± band`; the lowest of equals.

    Scores far from the threshold are decided by it alone; only those near it are kept or left together.
    """
    low, high = max(0.0, threshold - band), min(1.0, threshold + band)
    inside = np.sort(score[np.isfinite(score) & (score > low) & (score < high)])
    if not len(inside):
        return threshold
    edges = np.concatenate([[low], inside, [high]])
    widest = int(np.argmax(np.round(np.diff(edges), 9)))
    return float((edges[widest] + edges[widest + 1]) / 2)


def best_of_lost_views(
    view: NDArray[np.int64], kept: NDArray[np.bool_], score: NDArray[np.float64], floor: float
) -> list[int]:
    """Index of the best class of every view that has no kept class but a best score of `floor` or more."""
    best = []
    for number in range(1, int(view.max(initial=0)) + 1):
        members = np.flatnonzero((view == number) & np.isfinite(score))
        if len(members) and not kept[view == number].any():
            first = int(members[np.argmax(score[members])])
            if score[first] >= floor:
                best.append(first)
    return best


def loss(job: ClassJob, selection: Selection) -> float:
    """Share of the particles that the selection throws away; of the classes where no counts are known."""
    particles = job.classes.particles
    weight = particles if job.total_particles is not None else np.ones(len(particles))
    total = float(weight.sum())
    return 1 - float(weight[selection.kept].sum()) / total if total else 0.0


def too_much_lost(job: ClassJob, selection: Selection, max_loss: float) -> str:
    """Why a selection needs a person's word before it is written; "" where it needs none."""
    lost = loss(job, selection)
    if lost <= max_loss:
        return ""
    unit = "particles" if job.total_particles is not None else "classes"
    return f"would throw away {100 * lost:.0f} % of the {unit}, more than {100 * max_loss:.0f} %"


def _reason(i: int, enough: NDArray[np.bool_], score: NDArray[np.float64], scores: Scores) -> str:
    if not enough[i]:
        return TOO_FEW
    if not np.isfinite(score[i]):
        return NOT_SCORED
    probability = scores.reasons[i]
    if not np.isfinite(probability).any():
        return ""
    first = int(np.nanargmax(probability))
    return REASONS[first] if probability[first] >= SURE.get(REASONS[first], np.inf) else ""


def _note(job: ClassJob, kept: NDArray[np.bool_], score: NDArray[np.float64], policy: Policy) -> str:
    if job.total_particles == 0:
        return "the job is empty: no particle is assigned to any class; nothing is kept"
    if not np.isfinite(score).any():
        return "no class has enough particles to be scored; nothing is kept"
    if not kept.any():
        best = float(np.nanmax(score))
        if best >= policy.threshold:
            return f"this job looks like nothing but junk (best score {best:.2f}); nothing is kept"
        return f"nothing here looks like a particle (best score {best:.2f}); nothing is kept"
    return ""
