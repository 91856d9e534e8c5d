"""What one site sends at the end of a round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryofed.errors import FederationError
from cryofed.federation.wire.bounds import METRICS
from cryofed.learning.vector import Vector

NO_AUDIT = "0" * 64  # of a site that keeps none: all sites are in one process


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A change of the common model, as one site proposes it.

    `vector` is `(channels * layout.size,)`. Its first channel is the site's trained vector minus the
    received one: a difference, so that clipping, noise, compression and masks act on what the site
    added. A second channel, where the strategy has one, is the strategy's own (SCAFFOLD).
    """

    site: str
    round_number: int  # from 1
    model_hash: str  # of the message that the site started from
    layout_hash: str
    vector: Vector
    examples: int  # labelled averages that the site says it trained on
    steps: int  # local optimizer steps
    metrics: Mapping[str, float] = field(default_factory=dict)
    audit_hash: str = NO_AUDIT  # seal of the site's audit before this message; see `site.outbox`

    def __post_init__(self) -> None:
        unknown = sorted(set(self.metrics) - set(METRICS))
        if unknown:
            raise FederationError(
                f"{self.site}: metric {unknown[0]!r} is not in the schema; it may send {', '.join(METRICS)}"
            )
