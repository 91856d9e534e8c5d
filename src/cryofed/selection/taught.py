"""A scored job that a person's decisions teach: which classes change side, and which to decide next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import CryoFedError
from cryofed.scoring.calibration import UNSURE, sigmoid
from cryofed.scoring.clicks import CARRIED_LEVEL, Lesson, Numbers, fit, learn, propose, relative
from cryofed.scoring.scorer import Scores

FARTHEST = 1e-6  # a score counts as at least this far from 0 and 1: no logit is infinite
NOT_TAUGHT = "this model file gives no pooled numbers; it cannot learn from decisions: use a newer one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Teachable:
    """What learning needs of one job: its m scored classes of n, and the cut that a decision speaks of.

    `scored` `(n,)`; `features` `(m, k)` relative to the job; `prior` `(m,)` logits counted from `cut`.
    """

    scored: NDArray[np.bool_]
    features: Numbers
    prior: Numbers
    cut: float

    @staticmethod
    def of(scores: Scores, score: Numbers, cut: float) -> Teachable:
        """From the model's answers; `score` `(n,)` is NaN where the policy scores nothing.

        Raises:
            CryoFedError: the model is of an older version, which tells too little to learn on.
        """
        scored = np.isfinite(score)
        if scored.any() and scores.pooled.shape[1] == 0:
            raise CryoFedError(NOT_TAUGHT)
        width = scores.pooled.shape[1]
        return Teachable(
            scored=scored,
            features=relative(scores.pooled[scored]) if scored.any() else np.zeros((0, width)),
            prior=_logit(score[scored]) - float(_logit(np.array(cut))),
            cut=cut,
        )

    def taught(self, decided: Mapping[int, bool]) -> Numbers:
        """`(n,)` scores after what was decided, class index to kept; NaN where there was no score."""
        return self._scores(learn(self.features, self.prior, self._rows(decided)))

    def carried(self, lesson: Lesson) -> Numbers:
        """`(n,)` scores after what decisions in another job taught."""
        return self._scores(lesson.carried(self.features, self.prior))

    def lesson(self, decided: Mapping[int, bool]) -> Lesson:
        """What the decisions taught, to be carried to another job."""
        return fit(self.features, self.prior, self._rows(decided), level=CARRIED_LEVEL)

    def proposal(self, decided: Mapping[int, bool]) -> int | None:
        """Index of the class whose decision would teach most; None where all that is scored is decided."""
        rows = self._rows(decided)
        row = propose(self.features, self.prior, learn(self.features, self.prior, rows), rows)
        return None if row is None else int(np.flatnonzero(self.scored)[row])

    def counts(self, decided: Mapping[int, bool]) -> tuple[int, int]:
        """How many decisions to keep and to reject are learnt from; classes without a score teach nothing."""
        rows = list(self._rows(decided).values())
        return sum(rows), len(rows) - sum(rows)

    def _rows(self, decided: Mapping[int, bool]) -> dict[int, bool]:
        row = np.cumsum(self.scored) - 1
        return {int(row[i]): kept for i, kept in decided.items() if self.scored[i]}

    def _scores(self, logits: Numbers) -> Numbers:
        score = np.full(len(self.scored), np.nan)
        score[self.scored] = sigmoid(logits + float(_logit(np.array(self.cut))))
        return score


def after(scores: Scores, score: Numbers, decided: Mapping[int, bool]) -> Scores:
    """The scores of a job with what was learnt: a person has said what is good, which ends the doubt."""
    return replace(scores, score=score, unsure=unsure_after(score, decided), doubt=0.0)


def unsure_after(score: Numbers, decided: Mapping[int, bool]) -> NDArray[np.bool_]:
    """Where a person should look, `(n,)`; nobody is asked to look at what a person has decided."""
    unsure: NDArray[np.bool_] = (score > UNSURE[0]) & (score < UNSURE[1])
    unsure[list(decided)] = False
    return unsure


def _logit(score: Numbers) -> Numbers:
    inside = np.clip(score, FARTHEST, 1 - FARTHEST)
    result: Numbers = np.log(inside / (1 - inside))
    return result
