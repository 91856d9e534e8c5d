"""Why a class is not good: the fixed list that labels, model and reports share."""

from __future__ import annotations

REASONS = (
    "noise or over-fitted",
    "contamination or ice",
    "edge or neighbour",
    "off-centre or clipped",
    "blurred or misaligned",
    "aggregate or broken",
    "too few particles",
)
UNKNOWN = -1  # as a label: good, or nobody said why
