"""The scores that stand in this repository, and every table that is made of them: no picture is needed."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.measuring.page import write_between
from benchmarks.real.programs import read_scores, write_scores
from benchmarks.real.running.judging import SEED, kept_scores
from benchmarks.real.running.material import MODEL_PAGE, README
from benchmarks.real.sets import LabelledSet, labelled_sets
from benchmarks.real.table import Answer, Summary, each_set, markdown, side_by_side, summarize

SCORES = Path(__file__).parents[1] / "scores"
OURS, BY_ITSELF = "ours", "ours-each-logit-by-itself"


def publish(name: str, sets: Iterable[LabelledSet], answers: Mapping[str, Answer]) -> None:
    """Keep one program's scores in this repository; `name` may end in `-seed1`."""
    write_scores(SCORES / f"{name}.tsv", sets, answers)


def published(options: argparse.Namespace) -> int:
    """The tables of README and docs/model.md, from the scores in this repository."""
    sets, paths = labelled_sets(), sorted(SCORES.glob("*.tsv"))
    programs = kept_scores(paths, sets)
    ours, by_itself = programs.pop(OURS), programs.pop(BY_ITSELF)
    seeds = {
        path.stem.replace("-", ", "): summarize(sets, read_scores(path, sets))
        for path in paths
        if SEED.sub("", path.stem) == OURS
    }
    tables = {
        "left-out": markdown(ours),
        "in-job": side_by_side({"each logit by itself": by_itself, "beside its job": ours}),
        "seeds": side_by_side({**seeds, f"{OURS}, mean": ours}),
        "peers": side_by_side({**programs, f"{OURS}, mean": ours}),
        "peers-by-set": each_set({**programs, OURS: ours}),
    }
    short = quality(ours)
    print("\n\n".join([short, *tables.values()]))
    if options.write:
        write_between(README, {"quality": short})
        write_between(MODEL_PAGE, tables)
    return 0


def quality(mean: Summary) -> str:
    """README's table: the mean, the worst set, and all classes on one scale."""
    least, of = mean.worst("good_kept")
    weak, weakest = mean.worst("bad_rejected")
    auc, lowest = mean.worst("auc")
    n = mean.together.n_good + mean.together.n_bad
    rows = [
        (
            f"{len(mean.rows)} sets of real averages, mean",
            f"{mean.mean('auc'):.3f}",
            _share(mean.mean("good_kept")),
            _share(mean.mean("bad_rejected")),
        ),
        (
            "the same, without a demonstration and sets of under 8 good or bad classes",
            f"{mean.mean('auc', able=True):.3f}",
            _share(mean.mean("good_kept", able=True)),
            _share(mean.mean("bad_rejected", able=True)),
        ),
        (
            "the worst of them",
            f"{auc:.3f} ({lowest})",
            f"{_share(least)} ({of})",
            f"{_share(weak)} ({weakest})",
        ),
        (
            f"all {n:,} classes on one scale",
            f"{mean.together.auc:.3f}",
            _share(mean.together.good_kept),
            _share(mean.together.bad_rejected),
        ),
    ]
    head = "| judged on | AUC | good classes kept | bad classes rejected |\n|---|---:|---:|---:|"
    return "\n".join([head, *(f"| {' | '.join(row)} |" for row in rows)])


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
