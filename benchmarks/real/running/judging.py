"""Judge what is there at once: the rule, a model file, scores in tables."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.real.programs import product, read_scores, rule, write_scores
from benchmarks.real.running.material import KEPT, sets_of
from benchmarks.real.sets import LabelledSet, RealSet, labelled_sets
from benchmarks.real.table import Answer, Summary, each_set, markdown, mean_of, side_by_side, summarize
from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob

SEED = re.compile(r"-seed\d+$")
AS_IT_IS = "as it is, not leave-one-molecule-out: sets that a model was trained on, or chosen by, flatter it"


def judge_all(options: argparse.Namespace) -> int:
    """The rule, the shipped model and all kept scores beside each other."""
    sets = sets_of(options)
    programs = {
        "rule": summarize(sets, answers_by(sets, rule)),
        "shipped model": summarize(sets, answers_by(sets, product)),
        **kept_scores(sorted(KEPT.glob("*.tsv")), sets),
    }
    print(f"The shipped model {AS_IT_IS}.\n\n{side_by_side(programs)}\n\n{each_set(programs)}")
    return 0


def compare(options: argparse.Namespace) -> int:
    """Scores in tables beside each other."""
    programs = kept_scores(options.scores, labelled_sets())
    print(f"{side_by_side(programs)}\n\n{each_set(programs)}")
    return 0


def judge_rule(options: argparse.Namespace) -> int:
    """The one-line rule."""
    sets = sets_of(options)
    return _tell("Variance inside the circle over that outside it.", summarize(sets, answers_by(sets, rule)))


def judge_model(options: argparse.Namespace) -> int:
    """A model file, as it is."""
    sets = sets_of(options)
    answers = answers_by(sets, lambda job: product(job, options.model))
    if options.scores:
        write_scores(options.scores, sets, answers)
    name = options.model or "The shipped model"
    return _tell(f"{name}, {AS_IT_IS}.", summarize(sets, answers))


def judge_scores(options: argparse.Namespace) -> int:
    """Any program's scores."""
    sets = labelled_sets()
    answers = read_scores(options.scores, sets)
    missing = [of.name for of in sets if of.name not in answers]
    if missing:
        print(f"no scores of {', '.join(missing)}: these sets are left out", file=sys.stderr)
    return _tell(f"{options.scores.name}", summarize(sets, answers))


def kept_scores(paths: Sequence[Path], sets: Sequence[LabelledSet]) -> dict[str, Summary]:
    """Files of scores by program; several seeds of one program are averaged."""
    runs: dict[str, list[Mapping[str, Answer]]] = {}
    for path in paths:
        answers, others = read_scores(path, sets), runs.setdefault(SEED.sub("", path.stem), [])
        if others and set(others[0]) != set(answers):
            raise InputError(
                path, "set", "other sets than another seed's", "score the same sets with every seed"
            )
        others.append(answers)
    return {name: mean_of([summarize(sets, run) for run in of]) for name, of in runs.items()}


def answers_by(sets: Sequence[RealSet], program: Callable[[ClassJob], Answer]) -> Mapping[str, Answer]:
    """What a program says of every set."""
    return {of.name: program(of.job) for of in sets}


def _tell(title: str, summary: Summary) -> int:
    print(f"{title}\n\n{markdown(summary)}")
    return 0
