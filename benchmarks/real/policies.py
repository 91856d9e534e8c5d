"""What each policy with a name loses and rejects, by models that never saw the molecule that they judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.real.ours import Told, answers_of
from benchmarks.real.table import Answer
from cryofed.selection.policies import MEANING, NAMED

KINDS = {"real": "real sets", "relion": "RELION jobs"}


def policies_table(runs: Sequence[Sequence[Told]]) -> str:
    """Rows for each policy: means over jobs and seeds, and the worst job of any seed."""
    lines = [
        "| policy | judged on | good classes lost | in the worst | bad classes rejected | in the worst |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name, policy in NAMED.items():
        decided = [(told, answers_of(told, policy)) for told in runs]
        for kind, words in KINDS.items():
            lost = np.array([_shares(told, answers, kind, good=True) for told, answers in decided])
            rejected = np.array([_shares(told, answers, kind, good=False) for told, answers in decided])
            cells = (lost.mean(), lost.max(), rejected.mean(), rejected.min())
            head = f"**{name}**: {MEANING[name]}" if kind == "real" else ""
            told = " | ".join(f"{100 * value:.0f} %" for value in cells)
            lines.append(f"| {head} | {lost.shape[1]} {words} | {told} |")
    return "\n".join(lines)


def _shares(told: Sequence[Told], answers: Mapping[str, Answer], kind: str, *, good: bool) -> list[float]:
    """The share of the good, or bad, classes that are rejected, for each job that has such."""
    found = []
    for one in told:
        those = one.counted & (one.good if good else ~one.good)
        if one.kind == kind and those.any():
            found.append(float(np.mean(~np.asarray(answers[one.name].kept)[those])))
    return found
