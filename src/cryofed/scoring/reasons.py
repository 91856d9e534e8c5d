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
# Probability from which a reason is told; one that is not named here never is. The model learnt its reasons
# from simulation, and only these were right on real averages that a reader judged (docs/model.md).
SURE = {"noise or over-fitted": 0.7, "edge or neighbour": 0.6}
