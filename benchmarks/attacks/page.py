"""The figures as tables of docs/security.md."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

RELEASES = {  # by what the row says: the part that measures it
    "`federation new`": "usual",
    "`federation new`, 48 other jobs": "unseen",
    "`federation new`, to one who has 80 releases": "known",
    "`federation new`, third campaign": "again",
    "`federation new`, 192 jobs": "larger",
    "`federation new`, all projects": "few",
    "that with 12 rounds": "head",
    "that noised": "noised",
    "that with twice the noise": "twice",
    "`federation new --whole`": "membership",
    "`federation new --whole`, four pairs": "four",
    "that with a third of the steps": "short",
}
GOALS = {"auc": 0.55, "found": 0.02}  # at most


def tables(found: Mapping[str, Any]) -> dict[str, str]:
    """By mark: what stands between; a table of which nothing was measured stays as it is."""
    made = {
        "inversion": "\n" + _inversion(found["inversion"], found["images"]),
        "membership": "\n" + _membership({name: found[kind] for name, kind in RELEASES.items()}),
    }
    return {mark: text for mark, text in made.items() if text != "\n"}


def _inversion(
    closed: Mapping[str, Mapping[str, float]] | None, images: Mapping[str, Mapping[str, float]] | None
) -> str:
    if not closed:
        return ""
    lines = [
        "| the plan | embedding and features: correlation (chance) | read to 0.99 (chance) "
        "| labels right (guessing) | image: correlation (chance) |",
        "|---|---|---|---|---|",
    ]
    for name, row in closed.items():
        seen = (images or {}).get(name)
        image = f"{seen['image member']:.2f} ({seen['image other']:.2f})" if seen else "not measured"
        lines.append(
            f"| {name} | {row['head member']:.2f} ({row['head other']:.2f}) "
            f"| {row['read member']:.0%} ({row['read other']:.0%}) "
            f"| {row['labels']:.0%} ({row['labels guessed']:.0%}) | {image} |"
        )
    return "\n".join(lines) + "\n"


def _membership(found: Mapping[str, Mapping[str, Any] | None]) -> str:
    if not any(found.values()):
        return ""
    lines = [
        "| the release | attacker | AUC | by chance | members found at 1 % false alarms | by chance | goal | "
        "model's own AUC: before, members' jobs, other jobs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, told in found.items():
        if not told:
            continue
        (before,) = told["model auc before"]
        own = f"{before:.3f}, {_mean(told['model auc members'])}, {_mean(told['model auc others'])}"
        for attacker in ("difference", "likelihood ratio"):
            if f"{attacker} auc" in told:
                area, share = told[f"{attacker} auc"], told[f"{attacker} found"]
                met = statistics.mean(area) <= GOALS["auc"] and statistics.mean(share) <= GOALS["found"]
                lot, lots = told[f"{attacker} auc by chance"], told[f"{attacker} found by chance"]
                lines.append(
                    f"| {kind} | {attacker} | {_mean(area)} | {_mean(lot)} | {_mean(share, 100)} % "
                    f"| {_mean(lots, 100)} % | {'met' if met else 'not met'} | {own} |"
                )
    return "\n".join(lines) + "\n"


def _mean(values: Sequence[float], times: float = 1.0) -> str:
    digits = 1 if times > 1 else 3
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{times * statistics.mean(values):.{digits}f} ± {times * spread:.{digits}f}"
