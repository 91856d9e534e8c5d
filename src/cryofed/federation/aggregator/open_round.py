"""The round that runs now, and its report when it closes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cryofed.federation.aggregator.proportion import InProportion
from cryofed.federation.strategies.blocks import gram
from cryofed.federation.wire.orders import Order
from cryofed.federation.wire.updates import NO_AUDIT, Update
from cryofed.learning.vector import Vector, vector_hash
from cryofed.trust.masks.rules import collusion_threshold

GRAM_SITES = 32  # inner products of all pairs are kept for at most this many sites


@dataclass(slots=True)
class OpenRound:
    """The round that runs now."""

    order: Order
    asked: tuple[str, ...]
    began: float
    attempt: int
    quorum_at: float | None = None
    refused: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)  # under masks: have trained, and keep the update at home


def round_report(
    now: OpenRound, updates: InProportion, size: int, before: Vector, after: Vector
) -> dict[str, Any]:
    """What a closed round leaves: who answered with what, what was counted, and how the model moved."""
    accepted = {update.site: _facts(update, updates) for update in updates.spool}
    aucs = [one["metrics"]["auc"] for one in accepted.values() if "auc" in one["metrics"]]
    report: dict[str, Any] = {
        "round": now.order.round_number,
        "attempt": now.attempt,
        # Most strategies send the model itself, and the order names its hash.
        "model_before": now.order.model_hash if now.order.vector is before else vector_hash(before),
        "model_after": vector_hash(after),
        "asked": list(now.asked),
        "accepted": accepted,
        "refused": now.refused,
        "lost": now.lost,
        "auc": round(float(np.mean(aucs)), 6) if aucs else None,
    }
    if len(accepted) <= GRAM_SITES:
        report["inner_products"] = inner_products(updates, before, after, size)
    return report


def masked_report(
    now: OpenRound, sizes: Mapping[str, int], weight: float, before: Vector, after: Vector
) -> dict[str, Any]:
    """What a closed masked round leaves: who is in the sum. Nothing is known of any one of them."""
    return {
        "round": now.order.round_number,
        "attempt": now.attempt,
        "model_before": vector_hash(before),
        "model_after": vector_hash(after),
        "asked": list(now.asked),
        "accepted": {site: {"bytes": size, "metrics": {}} for site, size in sorted(sizes.items())},
        "refused": now.refused,
        "lost": now.lost,
        "auc": None,
        "masked": {"weight": round(weight, 6), "collusion_threshold": collusion_threshold(len(sizes))},
    }


@dataclass(frozen=True, slots=True)
class Step:
    """The common model's own change, of which one block at a time is made."""

    before: Vector
    after: Vector

    def __len__(self) -> int:
        return len(self.before)

    def __getitem__(self, part: slice, /) -> Vector:
        change: Vector = self.after[part] - self.before[part]
        return change


def inner_products(updates: Iterable[Update], before: Vector, after: Vector, size: int) -> list[list[float]]:
    """Inner products of all updates' changes, in the order given, and of the step that was made of them.

    `(n + 1, n + 1)`, the step from `before` to `after` last, to six digits. One block of each at a time is in
    memory, where updates are memory maps: the step itself is never made whole.
    """
    changes = [update.vector[:size] for update in updates]
    return [[float(f"{value:.6g}") for value in row] for row in gram([*changes, Step(before, after)])]


def _facts(update: Update, updates: InProportion) -> dict[str, Any]:
    norm, counted = updates.norms[update.site], updates.bounds.counted(update.examples)
    factor = updates.bounds.factor(norm)
    facts = {
        "examples": counted,
        "steps": update.steps,
        "norm": round(norm, 6),
        "bytes": updates.spool.sent_bytes(update.site),
        "metrics": {name: round(value, 6) for name, value in sorted(update.metrics.items())},
    }
    if update.audit_hash != NO_AUDIT:
        facts |= {"audit": update.audit_hash, "acknowledged": updates.spool.acknowledged(update.site)}
    if counted < update.examples:
        facts["declared"] = update.examples
    if factor < 1:
        facts["shortened"] = round(factor, 6)
    return facts
