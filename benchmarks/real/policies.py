"""What each policy with a name loses and rejects, by models that never saw the molecule that they judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.real.ours import Told, calibration_of, judged_by
from cryofed.selection.policies import MEANING, NAMED
from cryofed.selection.policy import Policy

KINDS = {"real": "real sets", "relion": "RELION jobs"}


def policies_table(runs: Sequence[Sequence[Told]]) -> str:
    """Rows for each policy: means over jobs and seeds, and the worst job of any seed."""
    scored = [(told, [judged_by(one, calibration_of(told, one)).good for one in told]) for told in runs]
    lines = [
        "| policy | judged on | good classes lost | in the worst | bad classes rejected | in the worst |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name, policy in NAMED.items():
        for kind, words in KINDS.items():
            lost = np.array([_shares(told, scores, kind, policy, good=True) for told, scores in scored])
            rejected = np.array([_shares(told, scores, kind, policy, good=False) for told, scores in scored])
            shares = (lost.mean(), lost.max(), rejected.mean(), rejected.min())
            head = f"**{name}**: {MEANING[name]}" if kind == "real" else ""
            cells = " | ".join(f"{100 * share:.0f} %" for share in shares)
            lines.append(f"| {head} | {lost.shape[1]} {words} | {cells} |")
    return "\n".join(lines)


def _shares(
    told: Sequence[Told],
    scores: Sequence[NDArray[np.float64]],
    kind: str,
    policy: Policy,
    *,
    good: bool,
) -> list[float]:
    """The share of the good, or bad, classes that are rejected, for each job that has such."""
    found = []
    for one, score in zip(told, scores, strict=True):
        those = one.counted & (one.good if good else ~one.good)
        if one.kind == kind and those.any():
            found.append(float(np.mean(~(score[those] >= policy.threshold))))
    return found
