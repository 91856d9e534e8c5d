"""What a site does to every update before it leaves, in this order: check, clip, noise, compress, mask.

The noise is in the vector already: private training put it into every step and the ledger was charged
before. Masks come last, in steps of their own (`site.masked`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.site.guard.check import check
from cryofed.federation.site.guard.clip import clip
from cryofed.federation.wire.codecs import Encoded, compress
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Vector

Memory = Mapping[str, Vector]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """What may leave, and what the guards keep at the site for the next round."""

    update: Update  # its vector as it was before compression
    encoded: Encoded
    memory: Memory


def guard(
    update: Update, channels: int, rules: GuardRules, memory: Memory, seen: int | None = None
) -> Guarded:
    """Apply the rules to an update.

    Args:
        update: as the strategy made it; trained privately if the rules say so.
        channels: of the strategy.
        rules: the stricter of plan and policy.
        memory: what the guards kept last round (`residual`: what compression has not sent yet).
        seen: different averages that the round's batches held; all that the site has where not given.

    Raises:
        GuardError: the site sits this round out.
    """
    size = len(update.vector) // channels
    check(update, size, channels, rules, update.examples if seen is None else seen)
    # What was not sent before is added first, so that the bound holds for what leaves.
    residual = memory.get("residual")
    fits = residual is not None and residual.shape == update.vector.shape  # else of another strategy
    wanted = update.vector + residual if fits and residual is not None else update.vector
    vector = clip(wanted, rules.max_norm, channels)
    encoded, left = compress(vector, rules.codec, rules.keep)
    kept: Memory = {} if rules.codec == "float32" else {"residual": left}
    # Loss and held-out metrics are computed from records without noise.
    metrics = {} if rules.private or not rules.send_metrics else update.metrics
    return Guarded(update=replace(update, vector=vector, metrics=metrics), encoded=encoded, memory=kept)
