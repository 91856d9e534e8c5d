"""Keep or reject: a calibrated probability, one cut, and a limit on what may be lost."""

from __future__ import annotations

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
    """What to keep: every class whose score reaches `threshold`.

    A score is the probability that an expert keeps the class, judged beside its job
    (`cryofed.scoring.in_job`), so one threshold means the same in every job. It lies below one half because
    a good class that is lost costs more than a bad one that is kept, one and a half times as much: later
    steps find junk, and nothing finds lost views again (1 / (1 + 1.5)).
    A class under `min_particles` is not scored. A selection that loses more than the share `max_loss` of the
    particles needs a person's word, and so does a job whose share of good classes is uncertain by more than
    `max_doubt` (`in_job.Judged`). With `keep_views` the best class of every view whose best score reaches
    `view_floor` is kept. `name` is what people call the policy (`policies.py` has those that have a name).
    """

    name: str = "balanced"

    threshold: float = 0.4
    max_loss: float = 0.6
    max_doubt: float = 0.15
    min_particles: int = FEWEST_PARTICLES
    keep_views: bool = False
    view_floor: float = 0.2

    def __post_init__(self) -> None:
        for name in ("threshold", "max_loss", "max_doubt", "view_floor"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise CryoFedError(f"{name} must be from 0 to 1, got {value:g}")
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
    note: str = ""  # why nothing is kept
    doubt: str = ""  # why a person should look at the whole job
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
    kept = score >= policy.threshold  # NaN is never kept
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
        cut=policy.threshold,
        note=_note(job, kept, score, sure=scores.doubt <= policy.max_doubt),
        doubt=_doubt(score, scores.doubt, policy.max_doubt),
        policy=policy.name,
    )


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


def asks_a_person(job: ClassJob, selection: Selection, max_loss: float) -> str:
    """Why nobody should go on from a selection before a person has looked; "" where nothing speaks for it."""
    return selection.note or selection.doubt or too_much_lost(job, selection, max_loss)


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


def _doubt(score: NDArray[np.float64], doubt: float, most: float) -> str:
    if doubt <= most:
        return ""
    return (
        f"the model is in doubt about the whole job: {100 * float(np.nanmean(score)):.0f} % of its classes "
        f"look good, give or take {100 * doubt:.0f} %; look yourself; cryofed review learns from you"
    )


def _note(job: ClassJob, kept: NDArray[np.bool_], score: NDArray[np.float64], *, sure: bool) -> str:
    if job.total_particles == 0:
        return "the job is empty: no particle is assigned to any class; nothing is kept"
    if not np.isfinite(score).any():
        return "no class has enough particles to be scored; nothing is kept"
    if not kept.any():
        best = float(np.nanmax(score))
        what = "nothing here looks like a particle" if sure else "no class reaches the cut"
        return f"{what} (best score {best:.2f}); nothing is kept"
    return ""
