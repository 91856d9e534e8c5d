"""What was asked about the held-out averages: counted on the disk, and refused beyond the site's policy.

Metrics of models that are made for the purpose tell single averages and labels, if there are enough of them.
So a campaign has the gate's two models and a few answers, and the site a number of answers a day.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cryofed.disk.chain import Record, add_record, altered
from cryofed.errors import GuardError
from cryofed.federation.agreement.site_policy import AnswerRules
from cryofed.federation.wire.orders import Order
from cryofed.learning.vector import Vector, vector_hash

FILE = "answers.jsonl"  # in the site's folder
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question, as it is counted."""

    campaign: str  # hash over plan and start
    task: str  # evaluate, statistics, or train: the metrics beside a round's update
    round_number: int
    models: tuple[str, ...]  # hashes
    data: str  # `contents.content_hash` of the averages that it is about

    @property
    def key(self) -> str:
        """The same for the same question about the same averages."""
        identity = [self.campaign, self.task, list(self.models), self.data]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def question(order: Order, models: Sequence[Vector], data: str) -> Question:
    """What an order asks of these averages."""
    campaign = hashlib.sha256(f"{order.plan_hash}{order.start_hash}".encode()).hexdigest()[:32]
    return Question(
        campaign=campaign,
        task=order.task,
        round_number=order.round_number,
        models=tuple(vector_hash(np.ascontiguousarray(model)) for model in models),
        data=data,
    )


def count_question(
    folder: Path | None, asked: Question, rules: AnswerRules, now: float | None = None
) -> bool:
    """Write the question down before it is answered; False where it was answered before, which is free.

    Raises:
        GuardError: more models or questions than the policy allows; nothing may be answered.
    """
    if folder is None:
        return True
    moment = time.time() if now is None else now
    fresh: list[bool] = []

    def within(earlier: Sequence[Record]) -> Record | None:
        try:
            rows = [(float(record["time"]), _question(record)) for record in earlier]
        except (KeyError, TypeError, ValueError):
            raise altered(folder / FILE, len(earlier)) from None
        if any(row.key == asked.key for _, row in rows):
            return None
        _check(asked, [row for _, row in rows if row.campaign == asked.campaign], rules)
        today = sum(1 for at, _ in rows if moment - at < DAY_S)
        if today >= rules.max_queries_a_day:
            raise GuardError(
                "queries", f"{today} answers in 24 hours, answers.max_queries_a_day allows no more"
            )
        fresh.append(True)
        return {"time": round(moment, 3), **asdict(asked)}

    add_record(folder / FILE, within)
    return bool(fresh)


def _check(asked: Question, earlier: Sequence[Question], rules: AnswerRules) -> None:
    if asked.task == "train":
        if any(row.task == "train" and row.round_number == asked.round_number for row in earlier):
            raise GuardError("queries", f"round {asked.round_number} has had its metrics, of another model")
        return
    gate = [row for row in earlier if row.task != "train"]
    if len(gate) >= rules.max_queries:
        found = f"{len(gate)} answers in this campaign, answers.max_queries allows no more"
        raise GuardError("queries", found)
    models = {model for row in [*gate, asked] for model in row.models}
    if len(models) > rules.max_models:
        found = f"{len(models)} models in this campaign, answers.max_models allows {rules.max_models}"
        raise GuardError("queries", f"{found}; a plan with gate.cross_site needs one more for each site")


def _question(record: Record) -> Question:
    fields = {name: record[name] for name in Question.__slots__}
    return Question(**fields | {"models": tuple(fields["models"])})
