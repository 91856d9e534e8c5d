"""How much the model owes to its seed: several trainings of one recipe on one corpus, and their medians.

`make bench-seeds` measures every model in build/seeds (folders that `cryofed.learning.make_release` wrote,
one a seed), or those that `CRYOFED_MODELS` names, separated by colons.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from benchmarks.judging.figures import Seen, look, row, sets
from benchmarks.judging.sets import LabelledJob
from cryofed.scoring.scorer import SHIPPED, score_job

SEEDS = Path(__file__).parent.parent / "build" / "seeds"
MOST_LOST = 0.15  # of a job's good classes
COUNTED = "jobs that lose more"
TRPV1, BGAL = "simple_TRPV1_5cavgs_iter0_8_16", "simple_bgal_25cavgs_all"


def figures(everything: dict[str, list[LabelledJob]], model: Path) -> dict[str, float]:
    """What the issue asks of a model, by name."""
    seen = {name: look(jobs, lambda job: score_job(job, model).score) for name, jobs in everything.items()}
    rows = {name: row(jobs) for name, jobs in seen.items()}
    result = {
        "simulated AUC": rows["simulated hold-out"]["AUC"],
        "ECE": rows["simulated hold-out"]["ECE"],
    }
    if "relion_jobs" not in rows:
        return result
    relion, real = rows["relion_jobs"], rows["all real sets"]
    return result | {
        "RELION AUC": relion["AUC"],
        "TRPV1": rows[TRPV1]["AUC"],
        "β-gal": rows[BGAL]["AUC"],
        "all real sets": real["AUC"],
        "kept": relion["recall"],
        "junk rejected": relion["junk rejected"],
        "least good kept, RELION": relion["least good kept"],
        COUNTED: float(sum(_lost(s) > MOST_LOST for s in seen["relion_jobs"])),
        "least good kept, real": real["least good kept"],
    }


def _lost(seen: Seen) -> float:
    good = seen.of.good & seen.of.counted
    return 1 - float(seen.kept[good].mean()) if good.any() else 0.0


def main() -> None:
    named = [Path(name) for name in os.environ.get("CRYOFED_MODELS", "").split(":") if name]
    folders = named or sorted(SEEDS.glob("*/")) or [SHIPPED.parent]
    everything = sets()
    table = []
    for folder in folders:
        table.append(figures(everything, folder / "model.onnx"))
        if len(table) == 1:
            print(f"| model | {' | '.join(table[0])} |\n|---|{'---:|' * len(table[0])}")
        _print(folder.name, table[-1])
    _print("median", {name: float(np.median([t[name] for t in table])) for name in table[0]})
    print("jobs that lose more: RELION jobs that lose over 15 % of their good classes", file=sys.stderr)


def _print(model: str, values: dict[str, float]) -> None:
    cells = [f"{value:.0f}" if name == COUNTED else f"{value:.3f}" for name, value in values.items()]
    print(f"| {model} | {' | '.join(cells)} |", flush=True)
